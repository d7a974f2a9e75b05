#include "engine/stream/seasonal_bias.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "engine/stream/replay.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

// One quantile, so that nothing but the biases moves the forecast.
ModelSpec PointSpec(std::size_t bias_period) {
  ModelSpec spec = TinySpec();
  spec.quantiles = {0.5f};
  spec.scored_steps = {1, 2, 3};
  spec.bias_period = bias_period;
  return spec;
}

// A season of `period` readings around 20, with noise.
std::vector<float> Season(std::size_t period, std::size_t readings) {
  std::mt19937 random(7);
  std::normal_distribution<float> noise(0, 0.2f);
  std::vector<float> series;
  for (std::size_t t = 0; t < readings; ++t)
    series.push_back(20 + (t % period < period / 3 ? 3.0f : -1.5f) + noise(random));
  return series;
}

// The point forecasts [readings][horizon] that a stream is answered.
std::vector<std::vector<float>> Answers(const ModelSpec& spec, const std::vector<float>& series) {
  ReplayedStream stream(TinyModel(spec));
  std::vector<std::vector<float>> answers;
  for (std::size_t t = 0; t < series.size(); ++t) {
    const std::vector<float> values = {series[t], 50};
    const auto time = static_cast<std::int64_t>(t) * kSecond;
    const auto answer = stream.Push({time, values}, time);
    EXPECT_EQ(answer.outcome, Outcome::kApplied);
    answers.push_back(answer.forecast);
  }
  return answers;
}

// What the header says, of forecasts `raw` without biases: plainly, with all that was ever answered.
std::vector<std::vector<float>> Corrected(const std::vector<std::vector<float>>& raw,
                                          const std::vector<float>& series, std::size_t period) {
  const std::size_t horizon = raw.front().size(), parts = std::min<std::size_t>(period, 48);
  const auto part = [&](std::size_t time) { return time % period * parts / period; };
  std::vector<double> biases(parts), error_sums(horizon);
  std::vector<int> errors(horizon);
  std::vector<std::vector<float>> answers = raw;
  for (std::size_t t = 0; t < series.size(); ++t) {
    double side = 0;
    for (std::size_t h = 1; h <= std::min(horizon, t) && !std::isnan(series[t]); ++h) {
      const double error = series[t] - answers[t - h][h - 1];
      error_sums[h - 1] += std::abs(error);
      ++errors[h - 1];
      side += error > 0 ? 1 : -1;
    }
    biases[part(t)] += side / static_cast<double>(horizon) / 60;
    double mean = 0, usual = 0;
    for (const double bias : biases) mean += bias / static_cast<double>(parts);
    const auto error = [&](std::size_t h) { return error_sums[h - 1] / std::max(errors[h - 1], 1); };
    for (std::size_t h = 1; h <= horizon; ++h) usual += error(h) / static_cast<double>(horizon);
    for (std::size_t h = 1; h <= horizon; ++h) {
      const double shift = std::min(error(h), usual) * (biases[part(t + h)] - mean);
      answers[t][h - 1] = static_cast<float>(raw[t][h - 1] + shift);
    }
  }
  return answers;
}

double MeanError(const std::vector<std::vector<float>>& answers, const std::vector<float>& series,
                 std::size_t from) {
  double sum = 0;
  std::size_t count = 0;
  for (std::size_t t = from; t < series.size(); ++t) {
    for (std::size_t h = 1; h <= answers[t].size() && t + h < series.size(); ++h, ++count)
      sum += std::abs(series[t + h] - answers[t][h - 1]);
  }
  return sum / static_cast<double>(count);
}

class BiasTest : public testing::TestWithParam<std::size_t> {};  // period, in readings

TEST_P(BiasTest, IsWhatTheHeaderSays) {
  std::vector<float> series = Season(GetParam(), 1500);
  series[400] = series[700] = series[701] = kMissing;
  const auto answers = Answers(PointSpec(GetParam()), series);
  const auto expected = Corrected(Answers(PointSpec(0), series), series, GetParam());
  for (std::size_t t = 0; t < series.size(); ++t)
    ASSERT_THAT(answers[t], testing::Pointwise(testing::FloatNear(2e-4f), expected[t])) << "reading " << t;
}

INSTANTIATE_TEST_SUITE_P(Periods, BiasTest, testing::Values(6, 24, 100), testing::PrintToStringParamName());

TEST(SeasonalBiasTest, LearnsAShapeThatTheModelDoesNotKnow) {
  const std::vector<float> series = Season(6, 3000);
  const double without = MeanError(Answers(PointSpec(0), series), series, 2000);
  EXPECT_LT(MeanError(Answers(PointSpec(6), series), series, 2000), 0.6 * without);
}

TEST(SeasonalBiasTest, KeepsTheLevelOfTheForecast) {
  // The model is wrong by as much at all times: nothing to correct but the level, which is not a bias's.
  std::vector<float> series(2000, 20);
  for (std::size_t t = 0; t < series.size(); ++t) series[t] += 0.01f * static_cast<float>(t);
  const auto with = Answers(PointSpec(10), series), without = Answers(PointSpec(0), series);
  for (std::size_t t = 1500; t < series.size(); ++t)
    ASSERT_THAT(with[t], testing::Pointwise(testing::FloatNear(0.05f), without[t]));
}

TEST(SeasonalBiasTest, ARestartKeepsThemAndAnImportChecksThem) {
  const ModelSpec spec = PointSpec(6);
  const auto model = TinyModel(spec);
  ReplayedStream stream(model);
  const std::vector<float> series = Season(6, 600);
  const auto push = [&](std::size_t t, float value) {
    const std::vector<float> values = {value, 50};
    const auto time = static_cast<std::int64_t>(t) * kSecond;
    return stream.Push({time, values}, time);
  };
  for (std::size_t t = 0; t < series.size(); ++t) push(t, series[t]);
  const std::size_t first = model->layout().bias;
  const std::vector<float> before(stream.floats().begin() + static_cast<std::ptrdiff_t>(first),
                                  stream.floats().begin() + static_cast<std::ptrdiff_t>(first + 6));
  EXPECT_THAT(before, testing::Contains(testing::Ne(0.0f)));
  push(5000, 20);  // so late that the stream begins anew
  const std::vector<float> after(stream.floats().begin() + static_cast<std::ptrdiff_t>(first),
                                 stream.floats().begin() + static_cast<std::ptrdiff_t>(first + 6));
  EXPECT_EQ(after, before);

  EXPECT_TRUE(IsStream(*model, stream.header(), stream.floats()));
  stream.floats()[first + 2] = kMissing;
  EXPECT_FALSE(IsStream(*model, stream.header(), stream.floats()));
}

TEST(SeasonalBiasTest, AModelWithoutHasNoneInItsStreams) {
  EXPECT_EQ(StreamFloats(*TinyModel(PointSpec(6))), StreamFloats(*TinyModel(PointSpec(0))) + 6);
  EXPECT_EQ(StreamFloats(*TinyModel(PointSpec(1000))), StreamFloats(*TinyModel(PointSpec(0))) + 48);
}

// The largest numbers are what some sensors send for "no value".
TEST(SeasonalBiasHugeTest, WhateverNumbersComeForecastsAreNumbersAndTheStreamCanBeKept) {
  for (const bool intervals : {false, true}) {
    ModelSpec spec = PointSpec(7);
    if (intervals) spec.quantiles = {0.1f, 0.5f, 0.9f};
    const auto model = TinyModel(spec);
    ReplayedStream stream(model);
    constexpr float kHuge = std::numeric_limits<float>::max();
    std::vector<float> series = Season(7, 60);
    for (const float value : {-kHuge, kHuge, kHuge, 20.0f, -kHuge}) series.push_back(value);
    for (int t = 0; t < 20; ++t) series.push_back(t % 3 == 0 ? -kHuge : 20.0f);
    for (std::size_t t = 0; t < series.size(); ++t) {
      const std::vector<float> values = {series[t], 50};
      const auto time = static_cast<std::int64_t>(t) * kSecond;
      const auto answer = stream.Push({time, values}, time);
      ASSERT_EQ(answer.outcome, Outcome::kApplied);
      for (const float forecast : answer.forecast) ASSERT_TRUE(std::isfinite(forecast)) << "reading " << t;
      ASSERT_TRUE(IsStream(*model, stream.header(), stream.floats())) << "reading " << t;
    }
  }
}

}  // namespace
}  // namespace tidegate
