#include "clients/cli/accuracy.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <vector>

namespace tidegate {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

// Horizon 2, quantiles low, middle, high.
TEST(AccuracyTest, ComparesEachStepWithWhatCame) {
  Accuracy accuracy(1, 2, 3);
  accuracy.Remember(0, 0, 10, std::vector<float>{9, 11, 12, 10, 14, 15});
  accuracy.Observe(0, 1, 12);  // step 1: error 1, persistence 2, inside (the end belongs to it), width 3
  accuracy.Remember(0, 1, 12, std::vector<float>{11, 13, 14, 12, 15, 18});
  accuracy.Observe(
      0, 2, 16);  // step 2 of the first: error 2, persistence 6, outside, width 5; step 1 of the second: 3, 4
  const auto& one = accuracy.steps()[0];
  EXPECT_EQ(one.forecasts, 2u);
  EXPECT_EQ(one.error, 1 + 3);
  EXPECT_EQ(one.persistence_error, 2 + 4);
  EXPECT_EQ(one.inside, 1);
  EXPECT_EQ(one.width, 3 + 3);
  const auto& two = accuracy.steps()[1];
  EXPECT_EQ(two.forecasts, 1u);
  EXPECT_EQ(two.error, 2);
  EXPECT_EQ(two.persistence_error, 6);
  EXPECT_EQ(two.inside, 0);
  EXPECT_EQ(two.width, 5);
  EXPECT_EQ(accuracy.total().forecasts, 3u);
  EXPECT_EQ(accuracy.total().error, 6);
}

TEST(AccuracyTest, MissedTicksAndMissingValuesCountForNothing) {
  Accuracy accuracy(2, 2, 3);
  accuracy.Remember(0, 0, 10, std::vector<float>{9, 11, 12, 10, 14, 15});
  accuracy.Remember(0, 0, kNan, std::vector<float>{9, 11, 12, 10, 14, 15});
  accuracy.Remember(0, 0, 10, std::vector<float>(6, kNan));
  accuracy.Observe(0, 1, kNan);
  accuracy.Observe(1, 1, 12);  // another stream
  accuracy.Observe(0, 3, 12);  // beyond the horizon
  EXPECT_EQ(accuracy.total().forecasts, 0u);
  accuracy.Observe(0, 2, 12);
  EXPECT_EQ(accuracy.steps()[1].forecasts, 1u);
}

TEST(AccuracyTest, FindsWhatWasForecastForATick) {
  Accuracy accuracy(1, 2, 3);
  accuracy.Remember(0, 5, 10, std::vector<float>{9, 11, 12, 10, 14, 15});
  ASSERT_NE(accuracy.Find(0, 7, 2), nullptr);
  EXPECT_EQ(accuracy.Find(0, 7, 2)->middle, 14);
  EXPECT_EQ(accuracy.Find(0, 7, 1), nullptr);
  for (std::int64_t tick = 6; tick < 100; ++tick) accuracy.Remember(0, tick, 10, std::vector<float>(6, 1));
  EXPECT_EQ(accuracy.Find(0, 7, 2), nullptr);  // forgotten: no reading to come is within its horizon
}

TEST(AccuracyTest, AReadingWithinReachOfTheIntervalIsInside) {
  Accuracy accuracy(1, 1, 3);
  const std::vector<float> forecast = {1, 2, 3};
  accuracy.Remember(0, 0, 2, forecast);
  accuracy.Observe(0, 1, 3.5f, 0.5f);
  EXPECT_EQ(accuracy.steps()[0].inside, 1);
  accuracy.Remember(0, 1, 2, forecast);
  accuracy.Observe(0, 2, 3.5f, 0.25f);
  EXPECT_EQ(accuracy.steps()[0].inside, 1) << "of two";
}

}  // namespace
}  // namespace tidegate
