// Every kind of layer and its gradient against the reference in double precision, at random odd shapes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <set>
#include <string>
#include <tuple>

#include "tests/engine/layers/layer_problem.h"
#include "tests/engine/layers/reference_layer.h"

namespace tidegate {
namespace {

#if defined(TIDEGATE_SLOW)
constexpr bool kSlow = true;  // sanitizers and emulators are
#else
constexpr bool kSlow = false;
#endif
constexpr Sizes kLargest = {.inputs = 17, .units = kSlow ? 65 : 257, .batch = kSlow ? 65 : 513, .steps = 5};
constexpr unsigned kShapes = kSlow ? 3 : 6;  // of each kind
constexpr std::size_t kDifferences = kSlow ? 10 : 50;
constexpr Sizes kLargestGradient = {.inputs = 17, .units = 33, .batch = 5, .steps = 7};

// TIDEGATE_TEST_SEED draws other shapes and values than those of every day.
unsigned Seed(unsigned number) {
  static const unsigned first = [] {
    const char* const given = std::getenv("TIDEGATE_TEST_SEED");
    const unsigned seed = given != nullptr ? static_cast<unsigned>(std::stoul(given)) : 1;
    std::printf("TIDEGATE_TEST_SEED=%u\n", seed);
    return seed;
  }();
  return first + 1000 * number;
}

std::string ShapeOf(const LayerProblem& p) {
  return "batch " + std::to_string(p.batch) + ", inputs " + std::to_string(p.inputs) + ", units " +
         std::to_string(p.spec.units) + ", steps " + std::to_string(p.steps);
}

double Largest(const std::vector<double>& values) {
  double largest = 0;
  for (const double value : values) largest = std::max(largest, std::abs(value));
  return largest;
}

class RandomLayerTest : public testing::TestWithParam<std::tuple<LayerFamily, unsigned>> {
 protected:
  LayerProblem Draw(const Sizes& largest) const {
    return RandomProblem(std::get<0>(GetParam()), largest, Seed(std::get<1>(GetParam())));
  }
};

// The reference follows three of the streams.
void ExpectReference(const LayerProblem& problem, const Matrix& found) {
  for (const std::size_t b : std::set<std::size_t>{0, problem.batch / 2, problem.batch - 1}) {
    const auto expected = ReferenceOutputs(OneStream(problem, b));
    for (std::size_t i = 0; i < expected.size(); ++i) {
      const float value = found.row(i / found.cols * problem.batch + b)[i % found.cols];
      ASSERT_NEAR(value, expected[i], 1e-5 * std::max(1.0, std::abs(expected[i])))
          << "stream " << b << ", output " << i;
    }
  }
}

TEST_P(RandomLayerTest, BothFormsAgreeWithReferenceAndEndInTheSameState) {
  const LayerProblem problem = Draw(kLargest);
  SCOPED_TRACE(ShapeOf(problem));
  Matrix stepped, carried;
  ExpectReference(problem, StepOutputs(problem, &stepped));
  ExpectReference(problem, SequenceOutputs(problem, &carried));
  if (problem.spec.bidirectional) return;  // has no state
  EXPECT_THAT(stepped.values, testing::Pointwise(testing::FloatNear(1e-5f), carried.values));
}

TEST_P(RandomLayerTest, GradientAgreesWithReferenceGradient) {
  const LayerProblem problem = Draw(kLargestGradient);
  SCOPED_TRACE(ShapeOf(problem));
  const auto expected = ReferenceGradient(problem);
  EXPECT_THAT(SequenceGradient(problem),
              testing::Pointwise(testing::DoubleNear(1e-4 * Largest(expected)), expected));
}

TEST_P(RandomLayerTest, ReferenceGradientAgreesWithCentralDifferences) {
  if (std::getenv("TIDEGATE_MAX_ISA") != nullptr)
    GTEST_SKIP() << "the reference uses no instruction set's kernels";
  const LayerProblem problem = Draw(kLargestGradient);
  SCOPED_TRACE(ShapeOf(problem));
  const auto gradient = ReferenceGradient(problem);
  auto values = Flat(problem);
  const std::size_t stride =
      std::max<std::size_t>(1, values.size() / kDifferences);  // enough of them, in all parts
  for (std::size_t i = Seed(0) % stride; i < values.size(); i += stride) {
    const double value = values[i];
    const auto slope = [&](double step) {
      values[i] = value + step;
      const double above = ReferenceLoss(problem, values);
      values[i] = value - step;
      const double below = ReferenceLoss(problem, values);
      values[i] = value;
      return (above - below) / (2 * step);
    };
    // Two steps cancel the third derivative, which a normalisation over few units makes large.
    EXPECT_NEAR(gradient[i], (4 * slope(1e-5) - slope(2e-5)) / 3, 1e-6 * std::max(1.0, Largest(gradient)))
        << "entry " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, RandomLayerTest,
                         testing::Combine(testing::ValuesIn(LayerFamilies()),
                                          testing::Range(1u, kShapes + 1)),
                         [](const auto& shape) {
                           return std::get<0>(shape.param).name + "_" +
                                  std::to_string(std::get<1>(shape.param));
                         });

class WideLayerTest : public testing::TestWithParam<LayerFamily> {};

TEST_P(WideLayerTest, ErrorStaysBoundedOverAThousandSteps) {
  for (const auto& [inputs, units, batch] :
       {std::tuple(17u, 33u, kSlow ? 57u : 513u), std::tuple(1u, kSlow ? 65u : 257u, 7u)}) {
    const LayerProblem problem =
        MakeProblem(GetParam(), inputs, units, batch, kSlow ? 50 : 1000, Seed(units));
    SCOPED_TRACE(ShapeOf(problem));
    ExpectReference(problem, StepOutputs(problem));
  }
}

TEST_P(WideLayerTest, GradientAgreesWithReferenceGradient) {
  const LayerProblem problem = MakeProblem(GetParam(), 17, kSlow ? 65 : 257, 2, 2, Seed(2));
  const auto expected = ReferenceGradient(problem);
  EXPECT_THAT(SequenceGradient(problem),
              testing::Pointwise(testing::DoubleNear(1e-4 * Largest(expected)), expected));
}

INSTANTIATE_TEST_SUITE_P(Kinds, WideLayerTest, testing::ValuesIn(LayerFamilies()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace tidegate
