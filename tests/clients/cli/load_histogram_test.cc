#include "clients/cli/load_histogram.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

namespace tidegate {
namespace {

TEST(LoadHistogramTest, PercentilesAgreeWithAPlainSort) {
  std::mt19937_64 random(3);
  std::lognormal_distribution<double> latency(11, 2);  // around 60 us, up to seconds
  LoadHistogram histogram;
  std::vector<double> sorted;
  double sum = 0;
  for (int i = 0; i < 200'000; ++i) {
    const auto nanoseconds = static_cast<std::uint64_t>(latency(random));
    histogram.Add(nanoseconds);
    sorted.push_back(1e-9 * static_cast<double>(nanoseconds));
    sum += sorted.back();
  }
  std::sort(sorted.begin(), sorted.end());
  for (const double percent : {0.001, 1.0, 10.0, 50.0, 90.0, 99.0, 99.9, 99.99, 99.999}) {
    const double wanted = sorted[static_cast<std::size_t>(std::ceil(percent / 100 * 200'000)) - 1];
    EXPECT_GE(histogram.Percentile(percent), wanted * (1 - 1e-12)) << percent;
    EXPECT_LE(histogram.Percentile(percent), wanted * (1 + 1.0 / 128)) << percent;
  }
  EXPECT_DOUBLE_EQ(histogram.Percentile(100), sorted.back());
  EXPECT_DOUBLE_EQ(histogram.max_seconds(), sorted.back());
  EXPECT_NEAR(histogram.mean_seconds(), sum / 200'000, 1e-9 * sum);
  EXPECT_EQ(histogram.count(), 200'000u);
}

TEST(LoadHistogramTest, AShareOfAWholeNumberIsThatNumber) {
  LoadHistogram histogram;
  for (std::uint64_t value = 1; value <= 1000; ++value)
    histogram.Add(value < 999 ? 1 : value == 999 ? 100 : 200);
  EXPECT_DOUBLE_EQ(histogram.Percentile(99.9), 1e-9 * 100);  // the 999th of 1,000
}

TEST(LoadHistogramTest, SmallValuesAreExactAndTheLargestFit) {
  for (std::uint64_t value = 0; value < 300; ++value) {
    LoadHistogram histogram;
    histogram.Add(value);
    histogram.Add(1'000'000);
    EXPECT_NEAR(histogram.Percentile(50), 1e-9 * static_cast<double>(value), value < 256 ? 1e-15 : 1.1e-9);
  }
  LoadHistogram histogram;
  histogram.Add(std::numeric_limits<std::uint64_t>::max());
  EXPECT_DOUBLE_EQ(histogram.Percentile(50), histogram.max_seconds());
}

TEST(LoadHistogramTest, AnEmptyOneIsAllZero) {
  const LoadHistogram histogram;
  EXPECT_EQ(histogram.Percentile(50), 0);
  EXPECT_EQ(histogram.max_seconds(), 0);
  EXPECT_EQ(histogram.mean_seconds(), 0);
}

}  // namespace
}  // namespace tidegate
