#include "engine/train/loss.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "tests/engine/layers/reference.h"

namespace tidegate {
namespace {

TEST(PinballTest, AgreesWithReferenceAndItsGradient) {
  using reference::Var;
  const std::vector<float> quantiles = {0.1f, 0.5f, 0.9f};
  std::mt19937_64 random(3);
  std::normal_distribution<float> normal;
  Matrix targets(5, 4), outputs(5, 12);
  for (float& value : targets.values) value = normal(random);
  for (float& value : outputs.values) value = normal(random);
  targets.values[6] = std::numeric_limits<float>::quiet_NaN();

  const auto leaves = Var::Leaves(outputs.values);
  Var loss(0);
  for (std::size_t i = 0; i < targets.size(); ++i) {
    if (std::isnan(targets.values[i])) continue;
    for (std::size_t q = 0; q < 3; ++q) {
      loss = loss + reference::Pinball(targets.values[i], quantiles[q], leaves[3 * i + q]);
    }
  }
  const double expected = loss.value();
  const auto gradient = Var::Gradient(loss, leaves);

  EXPECT_NEAR(LossGradient({.quantiles = quantiles}, targets, 1, outputs), expected, 1e-5);
  EXPECT_THAT(outputs.values, testing::Pointwise(testing::DoubleNear(1e-6), gradient));
}

TEST(PinballTest, ScalesTheGradientOnly) {
  Matrix targets(1, 1), outputs(1, 1);
  targets.values = {3};
  outputs.values = {1};
  const std::vector<float> quantile = {0.75f};
  EXPECT_FLOAT_EQ(LossGradient({.quantiles = quantile}, targets, 0.5f, outputs), 1.5);
  EXPECT_FLOAT_EQ(outputs.values[0], -0.375f);
}

class PointLossTest : public testing::TestWithParam<LossKind> {};

TEST_P(PointLossTest, GradientAgreesWithDifferencesAndStepsAreWeighted) {
  const std::vector<float> median = {0.5f}, weights = {1, 3};
  const Loss loss = {.kind = GetParam(), .quantiles = median, .weights = weights};
  Matrix targets(2, 2);
  targets.values = {0.3f, -2, 1.5f, std::numeric_limits<float>::quiet_NaN()};
  const std::vector<float> at = {0.9f, -0.4f, -2, 7};
  Matrix gradient(2, 2);
  gradient.values = at;
  LossGradient(loss, targets, 2, gradient);
  for (std::size_t i = 0; i < at.size(); ++i) {
    const float step = 1e-2f;
    Matrix high(2, 2), low(2, 2);
    high.values = low.values = at;
    high.values[i] += step;
    low.values[i] -= step;
    const double slope =
        (LossGradient(loss, targets, 1, high) - LossGradient(loss, targets, 1, low)) / (2 * step);
    EXPECT_NEAR(gradient.values[i], 2 * slope, 1e-3) << i;
  }
}

// A step's weight is a unit: the loss is that of errors which are so many times as large.
TEST_P(PointLossTest, WeightsMultiplyErrors) {
  const std::vector<float> median = {0.5f}, weights = {0.25f, 3};
  Matrix targets(1, 2), outputs(1, 2), no_target(1, 2), errors(1, 2);
  targets.values = {0.3f, -2};
  outputs.values = {1.9f, -1.5f};
  errors.values = {0.25f * (1.9f - 0.3f), 3 * (-1.5f + 2)};
  const double weighted =
      LossGradient({.kind = GetParam(), .quantiles = median, .weights = weights}, targets, 1, outputs);
  EXPECT_NEAR(weighted, LossGradient({.kind = GetParam(), .quantiles = median}, no_target, 1, errors), 1e-6);
}

INSTANTIATE_TEST_SUITE_P(Kinds, PointLossTest, testing::ValuesIn(kLossKinds),
                         [](const auto& kind) { return std::string(LossName(kind.param)); });

TEST(PinballTest, IsLeastAtTheQuantile) {
  const std::vector<float> quantile = {0.9f};
  const auto loss = [&](float forecast) {
    double sum = 0;
    for (int target = 1; target <= 100; ++target)
      sum += Pinball(static_cast<float>(target), quantile, &forecast);
    return sum;
  };
  for (const float forecast : {50.5f, 80.5f, 89.0f, 92.0f, 99.0f})
    EXPECT_GT(loss(forecast), loss(90.5f)) << forecast;
}

}  // namespace
}  // namespace tidegate
