#include "engine/tune/data_profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <random>
#include <vector>

namespace tidegate {
namespace {

using testing::AllOf;
using testing::Ge;
using testing::HasSubstr;
using testing::Le;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::size_t kHorizon = 8;

Series Of(std::vector<float> values, const char* stream = "a") {
  Series series = {.stream = stream, .features = 1, .values = std::move(values), .scored = {}};
  series.scored.assign(series.values.size(), true);
  return series;
}

std::vector<float> Noise(std::size_t n, unsigned seed = 1) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal(0, 1);
  std::vector<float> values(n);
  for (float& value : values) value = normal(random);
  return values;
}

// x(t) = decay x(t - lag) + noise.
std::vector<float> Autoregressive(std::size_t n, float decay, std::size_t lag = 1, unsigned seed = 1) {
  std::vector<float> values = Noise(n, seed);
  for (std::size_t t = lag; t < n; ++t) values[t] += decay * values[t - lag];
  return values;
}

DataProfile Profile(const std::vector<Series>& series) {
  const auto profile = ProfileOf(series, kSecond, 0, kHorizon);
  EXPECT_TRUE(profile.ok()) << profile.status();
  return profile.value_or(DataProfile{});
}

TEST(DataProfileTest, OfAFirstOrderProcessTheAutocorrelationLastsAsItsDecaySaysAndOneReadingTellsAll) {
  const DataProfile profile = Profile({Of(Autoregressive(20'000, 0.9f))});
  EXPECT_NEAR(static_cast<double>(profile.memory_autocorrelation), std::log(0.2) / std::log(0.9), 3);
  EXPECT_EQ(profile.memory_probe, 4u);
  EXPECT_TRUE(profile.level);
  EXPECT_EQ(profile.longest_probe, 512u);
  EXPECT_EQ(profile.season, 0u);
  EXPECT_EQ(profile.streams, 1u);
  EXPECT_EQ(profile.readings, 20'000u);
}

TEST(DataProfileTest, TheProbeReachesAsFarBackAsTheProcess) {
  // Differences two memories apart, so the value 100 readings ago is needed and those between are not.
  const DataProfile profile = Profile({Of(Autoregressive(16'000, 0.8f, 100))});
  EXPECT_EQ(profile.memory_probe, 128u);
  EXPECT_GT(profile.gain, 0.4);
  EXPECT_GE(profile.memory_autocorrelation, 100u);
}

TEST(DataProfileTest, ARandomWalkIsRememberedForLongButNothingIsGained) {
  const DataProfile profile = Profile({Of(Autoregressive(20'000, 1))});
  EXPECT_GT(profile.memory_autocorrelation, 300u);
  EXPECT_EQ(profile.memory_probe, 4u);
  EXPECT_LT(profile.gain, 0.01);
  EXPECT_FALSE(profile.level);
  EXPECT_EQ(profile.local_pattern, 0);
}

TEST(DataProfileTest, FindsTheSeasonAndLeavesItOutOfTheMemory) {
  std::vector<float> values = Noise(3'000);
  for (std::size_t t = 0; t < values.size(); ++t)
    values[t] += 2 * std::sin(2 * std::numbers::pi_v<float> * static_cast<float>(t) / 50);
  const DataProfile profile = Profile({Of(values)});
  EXPECT_EQ(profile.season, 50u);
  EXPECT_NEAR(profile.season_share, 2.0 / 3, 0.05);  // 2 of the sine, 1 of the noise
  EXPECT_LE(profile.memory_autocorrelation, 2u);
}

TEST(DataProfileTest, CountsStreamsBreaksAndWhatIsMissing) {
  std::vector<Series> series;
  for (unsigned seed = 1; seed <= 3; ++seed) {
    series.push_back(Of(Autoregressive(2'000, 0.9f, 1, seed), seed < 3 ? "a" : "b"));
    for (std::size_t t = 0; t < 2'000; t += 10)
      series.back().values[t] = std::numeric_limits<float>::quiet_NaN();
  }
  for (std::size_t t = 501; t < 510; ++t) {
    series[2].scored[t] = false;
    series[2].values[t] = 1e6f;
  }
  const DataProfile profile = Profile(series);
  EXPECT_EQ(profile.streams, 2u);
  EXPECT_EQ(profile.breaks, 1u);
  EXPECT_NEAR(profile.missing, 0.1, 0.01);
  EXPECT_LE(profile.memory_probe, 16u);
  EXPECT_THAT(profile.memory_autocorrelation, AllOf(Ge(10u), Le(25u)));
}

TEST(DataProfileTest, ShapesOfTheLastReadingsAreLocalAndTheirSlowMeansAreNot) {
  // What comes again after six readings, where running means see but the mean; and such a mean.
  const std::vector<float> local = Autoregressive(8'000, 0.9f, 6), noise = Noise(8'000);
  std::vector<float> slow(noise.size());
  double mean = 0;
  for (std::size_t t = 0; t < noise.size(); ++t) {
    mean += 0.02 * (noise[t] - mean);
    slow[t] = static_cast<float>(mean) + 0.1f * noise[t];
  }
  EXPECT_GT(Profile({Of(local)}).local_pattern, 0.1);
  EXPECT_LT(Profile({Of(slow)}).local_pattern, 0.02);
}

TEST(DataProfileTest, AMillionReadingsOfStreamsInOtherUnitsAreMeasuredAsFew) {
  std::vector<Series> series;
  for (int s = 0; s < 10; ++s) {
    series.push_back(Of(Autoregressive(100'000, 0.9f), std::array{"a", "b"}[s % 2]));
    for (float& value : series.back().values)
      value = 100 + value * std::pow(10.0f, static_cast<float>(s - 2));
  }
  const DataProfile profile = Profile(series);
  EXPECT_EQ(profile.readings, 1'000'000u);
  EXPECT_NEAR(static_cast<double>(profile.memory_autocorrelation), 15.3, 3);
}

TEST(DataProfileTest, RefusesWhatIsTooShortOrNeverVaries) {
  const auto message = [](const std::vector<Series>& series) {
    return std::string(ProfileOf(series, kSecond, 0, kHorizon).status().message());
  };
  EXPECT_THAT(message({Of(Noise(47))}), AllOf(HasSubstr("47 readings"), HasSubstr("at least 48")));
  EXPECT_THAT(message({Of(std::vector<float>(100, 3))}), HasSubstr("never varies"));
}

}  // namespace
}  // namespace tidegate
