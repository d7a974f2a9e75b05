#include "engine/backtest/errors.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace tidegate {
namespace {

// The formulas written out for each target, in doubles.
TEST(ErrorsTest, MeansAreThoseOfTheFormulas) {
  const std::vector<float> levels = {0.1f, 0.5f, 0.9f};
  const std::vector<float> targets = {10, 12, 0, -3};
  const std::vector<std::vector<float>> forecasts = {{9, 10.5f, 12}, {6, 7, 8}, {-1, 0, 1}, {-2, -1, 4}};
  const double deviation = 2, scale = 0.5;
  Errors sums;
  double squares = 0, absolute = 0, symmetric = 0, pinball = 0, width = 0;
  for (std::size_t i = 0; i < targets.size(); ++i) {
    const auto& q = forecasts[i];
    sums.Add(ErrorsOf(targets[i], q[1], q, levels, deviation, scale));
    const double error = std::abs(q[1] - targets[i]);
    squares += error * error / 4;
    absolute += error / 2;
    if (error > 0) symmetric += 200 * error / (std::abs(q[1]) + std::abs(targets[i]));
    for (std::size_t k = 0; k < 3; ++k) {
      const double below = targets[i] - q[k];
      pinball += std::max(levels[k] * below, (levels[k] - 1) * below) / 3 / 2;
    }
    width += (q[2] - q[0]) / 2;
  }
  sums.Divide();
  EXPECT_EQ(sums.targets, 4u);
  EXPECT_NEAR(sums.mse, squares / 4, 1e-9);
  EXPECT_NEAR(sums.mae, absolute / 4, 1e-9);
  EXPECT_NEAR(sums.mase, absolute / 4 * deviation / scale, 1e-9);
  EXPECT_NEAR(sums.smape, symmetric / 4, 1e-9);
  EXPECT_NEAR(sums.pinball, pinball / 4, 1e-6);
  EXPECT_EQ(sums.coverage, 0.5);
  EXPECT_NEAR(sums.width, width / 4, 1e-6);
}

TEST(ErrorsTest, CoverageCountsWhatTheSensorRoundsToTheInterval) {
  const std::vector<float> levels = {0.1f, 0.5f, 0.9f}, forecast = {1, 2, 3};
  EXPECT_EQ(ErrorsOf(3.1f, 2, forecast, levels, 1, 1, 0.05f).coverage, 0);
  EXPECT_EQ(ErrorsOf(3.1f, 2, forecast, levels, 1, 1, 0.2f).coverage, 1);
  EXPECT_EQ(ErrorsOf(0.9f, 2, forecast, levels, 1, 1, 0.2f).coverage, 1);
}

TEST(ErrorsTest, WhatIsNotThereIsNotANumber) {
  Errors point = ErrorsOf(1, 2, {}, {}, 1, std::numeric_limits<double>::quiet_NaN());
  point.Divide();
  EXPECT_EQ(point.mae, 1);
  EXPECT_TRUE(std::isnan(point.pinball) && std::isnan(point.coverage) && std::isnan(point.width));
  EXPECT_TRUE(std::isnan(point.mase));
  const std::vector<float> median = {2}, level = {0.5f};
  Errors one = ErrorsOf(1, 2, median, level, 1, 0);  // a season that never differs; no interval
  one.Divide();
  EXPECT_EQ(one.pinball, 0.5);
  EXPECT_TRUE(std::isnan(one.mase) && std::isnan(one.coverage));
}

TEST(ErrorsTest, MeansAreOverTheTargetsThatHaveThem) {
  const std::vector<float> levels = {0.1f, 0.5f, 0.9f}, forecast = {1, 2, 3};
  Errors sums = ErrorsOf(4, 2, forecast, levels, 1, 4);
  sums.Add(ErrorsOf(2, 2, {}, {}, 1, 0));
  sums.Divide();
  EXPECT_EQ(sums.mae, 1);
  EXPECT_EQ(sums.mase, 0.5);
  EXPECT_EQ(sums.coverage, 0);
  EXPECT_EQ(sums.width, 2);
}

}  // namespace
}  // namespace tidegate
