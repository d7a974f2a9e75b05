// Every kind of layer and its gradient against the reference in double precision, at random odd shapes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <tuple>

#include "tests/engine/layers/layer_problem.h"
#include "tests/engine/layers/reference_layer.h"

namespace tidegate {
namespace {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kLongSteps = 100;  // sanitizers are slow
constexpr unsigned kLargest = 3;
#else
constexpr std::size_t kLongSteps = 1000;
constexpr unsigned kLargest = 1;  // divides the largest sizes
#endif

std::string ShapeOf(const LayerProblem& p, unsigned seed) {
  return "seed " + std::to_string(seed) + ": batch " + std::to_string(p.batch) + ", inputs " +
         std::to_string(p.inputs) + ", units " + std::to_string(p.spec.units) + ", steps " +
         std::to_string(p.steps);
}

double Largest(const std::vector<double>& values) {
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

class RandomLayerTest : public testing::TestWithParam<std::tuple<LayerFamily, unsigned>> {
 protected:
  RandomLayerTest()
      : problem_(RandomProblem(std::get<0>(GetParam()), std::get<1>(GetParam()))),
        trace_(__FILE__, __LINE__, ShapeOf(problem_, std::get<1>(GetParam()))) {}

  LayerProblem problem_;
  testing::ScopedTrace trace_;
};

TEST_P(RandomLayerTest, StepAgreesWithReference) {
  EXPECT_THAT(StepOutputs(problem_).values,
              testing::Pointwise(testing::DoubleNear(1e-5), ReferenceOutputs(problem_)));
}

TEST_P(RandomLayerTest, SequenceAgreesWithReference) {
  EXPECT_THAT(SequenceOutputs(problem_).values,
              testing::Pointwise(testing::DoubleNear(1e-5), ReferenceOutputs(problem_)));
}

TEST_P(RandomLayerTest, StepAndSequenceEndInTheSameState) {
  if (problem_.spec.bidirectional) return;  // has none
  Matrix stepped, carried;
  StepOutputs(problem_, &stepped);
  SequenceOutputs(problem_, &carried);
  EXPECT_THAT(stepped.values, testing::Pointwise(testing::FloatNear(1e-5f), carried.values));
}

TEST_P(RandomLayerTest, GradientAgreesWithReferenceGradient) {
  const auto expected = ReferenceGradient(problem_);
  EXPECT_THAT(SequenceGradient(problem_),
              testing::Pointwise(testing::DoubleNear(1e-4 * Largest(expected)), expected));
}

TEST_P(RandomLayerTest, ReferenceGradientAgreesWithCentralDifferences) {
  const auto gradient = ReferenceGradient(problem_);
  auto values = Flat(problem_);
  const std::size_t stride = std::max<std::size_t>(1, values.size() / 100);  // enough of them, in all parts
  for (std::size_t i = 0; i < values.size(); i += stride) {
    const double value = values[i], step = 1e-5;
    values[i] = value + step;
    const double above = ReferenceLoss(problem_, values);
    values[i] = value - step;
    const double below = ReferenceLoss(problem_, values);
    values[i] = value;
    EXPECT_NEAR(gradient[i], (above - below) / (2 * step), 1e-6 * std::max(1.0, Largest(gradient)))
        << "entry " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, RandomLayerTest,
                         testing::Combine(testing::ValuesIn(LayerFamilies()), testing::Range(1u, 9u)),
                         [](const auto& shape) {
                           return std::get<0>(shape.param).name + "_" +
                                  std::to_string(std::get<1>(shape.param));
                         });

// Long runs of wide layers in large batches; the reference follows three of the streams.
class LongRunTest : public testing::TestWithParam<LayerFamily> {};

TEST_P(LongRunTest, ErrorStaysBoundedOverAThousandSteps) {
  unsigned seed = 1;
  for (const auto& [inputs, units, batch] :
       {std::tuple(17u, 33u, 513u / kLargest), std::tuple(1u, 257u / kLargest, 7u)}) {
    const std::size_t steps = kLongSteps;
    LayerProblem problem = MakeProblem(GetParam(), inputs, units, batch, steps, ++seed);
    SCOPED_TRACE(ShapeOf(problem, seed));
    const Matrix found = StepOutputs(problem);
    for (const std::size_t b : {std::size_t{0}, problem.batch / 2, problem.batch - 1}) {
      LayerProblem one = problem;
      one.batch = 1;
      one.x = Matrix(steps, inputs);
      one.slope = Matrix(steps, found.cols);
      one.state = Matrix(1, problem.state.cols);
      std::copy_n(problem.state.row(b), problem.state.cols, one.state.data());
      for (std::size_t t = 0; t < steps; ++t)
        std::copy_n(problem.x.row(t * problem.batch + b), inputs, one.x.row(t));
      const auto expected = ReferenceOutputs(one);
      for (std::size_t i = 0; i < expected.size(); ++i) {
        const float value = found.row(i / found.cols * problem.batch + b)[i % found.cols];
        ASSERT_NEAR(value, expected[i], 1e-5 * std::max(1.0, std::abs(expected[i])))
            << "stream " << b << ", " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, LongRunTest, testing::ValuesIn(LayerFamilies()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace tidegate
