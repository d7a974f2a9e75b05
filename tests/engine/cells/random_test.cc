// Cells and gradients against the reference in double precision, at random odd shapes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "tests/engine/cells/recurrent.h"

namespace tidegate {
namespace {

using recurrent::Problem;

class RandomCellTest : public testing::TestWithParam<std::tuple<CellKind, unsigned>> {
 protected:
  RandomCellTest() : problem_(recurrent::RandomProblem(std::get<0>(GetParam()), std::get<1>(GetParam()))) {}

  std::string Shape() const {
    return "seed " + std::to_string(std::get<1>(GetParam())) + ": batch " + std::to_string(problem_.batch) +
           ", inputs " + std::to_string(problem_.x.cols) + ", units " +
           std::to_string(problem_.weights.units()) + ", steps " +
           std::to_string(problem_.x.rows / problem_.batch);
  }

  Problem problem_;
};

double Largest(const std::vector<double>& values) {
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

TEST_P(RandomCellTest, StepAgreesWithReference) {
  SCOPED_TRACE(Shape());
  EXPECT_THAT(recurrent::StepOutputs(problem_).values,
              testing::Pointwise(testing::DoubleNear(1e-5), recurrent::ReferenceOutputs(problem_)));
}

TEST_P(RandomCellTest, SequenceAgreesWithReference) {
  SCOPED_TRACE(Shape());
  EXPECT_THAT(recurrent::SequenceOutputs(problem_).values,
              testing::Pointwise(testing::DoubleNear(1e-5), recurrent::ReferenceOutputs(problem_)));
}

TEST_P(RandomCellTest, GradientAgreesWithReferenceGradient) {
  SCOPED_TRACE(Shape());
  const auto expected = recurrent::ReferenceGradient(problem_);
  EXPECT_THAT(recurrent::SequenceGradient(problem_),
              testing::Pointwise(testing::DoubleNear(1e-4 * Largest(expected)), expected));
}

TEST_P(RandomCellTest, ReferenceGradientAgreesWithCentralDifferences) {
  SCOPED_TRACE(Shape());
  const auto gradient = recurrent::ReferenceGradient(problem_);
  auto values = recurrent::Flat(problem_.weights, problem_.x);
  const std::size_t stride = std::max<std::size_t>(1, values.size() / 200);  // enough of them, in all parts
  for (std::size_t i = 0; i < values.size(); i += stride) {
    const double value = values[i], step = 1e-5;
    values[i] = value + step;
    const double above = recurrent::ReferenceLoss(problem_, values);
    values[i] = value - step;
    const double below = recurrent::ReferenceLoss(problem_, values);
    values[i] = value;
    EXPECT_NEAR(gradient[i], (above - below) / (2 * step), 1e-6) << "entry " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, RandomCellTest,
                         testing::Combine(testing::Values(CellKind::kGru, CellKind::kLstm),
                                          testing::Range(1u, 13u)),
                         [](const auto& shape) {
                           return recurrent::Name(std::get<0>(shape.param)) + "_" +
                                  std::to_string(std::get<1>(shape.param));
                         });

}  // namespace
}  // namespace tidegate
