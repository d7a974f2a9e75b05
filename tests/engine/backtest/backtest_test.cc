#include "engine/backtest/backtest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "engine/stream/replay.h"
#include "engine/tensor/nan.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

constexpr std::size_t kModel = 0, kLastValue = 1, kSeasonal = 2, kLinear = 3;

Series Wave(std::size_t rows, double phase) {
  Series series = {.stream = "wave", .features = 2, .values = {}, .scored = std::vector<bool>(rows, true)};
  for (std::size_t t = 0; t < rows; ++t) {
    series.values.push_back(20 + static_cast<float>(std::sin(phase + 0.3 * static_cast<double>(t))));
    series.values.push_back(static_cast<float>(t % 5));
  }
  return series;
}

std::span<const float> Row(const Series& series, std::size_t t) {
  return std::span(series.values).subspan(2 * t, 2);
}

TEST(BacktestTest, ScoresEveryOriginOfWhatAServerAnswers) {
  const auto model = TinyModel(TinySpec());
  const ModelSpec& spec = model->spec();
  const std::vector<Series> series = {Wave(40, 0), Wave(40, 1)};
  const auto result = RunBacktest(*model, series, {.from = {25, 25}, .horizons = {3, 1}});
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->horizons.size(), 2u);
  EXPECT_EQ(result->horizons[0].origins, 15u);  // 40 - 25 - 1 + 1
  EXPECT_EQ(result->horizons[1].origins, 13u);  // 40 - 25 - 3 + 1
  const ErrorsOfAll& errors = result->horizons[1].errors;
  EXPECT_EQ(errors[kModel].targets, 2u * 13 * 3);
  EXPECT_EQ(errors[kSeasonal].targets, 2u * 13 * 3);
  EXPECT_EQ(errors[kLinear].targets, 0u);  // 25 rows are too few
  EXPECT_EQ(result->steps, 80u);

  double squares = 0, absolute = 0, naive = 0, inside = 0;
  for (const Series& one : series) {
    ReplayedStream stream(model);
    for (std::size_t t = 0; t < 40; ++t) {
      const auto answer = stream.Push(
          {.timestamp_ns = static_cast<std::int64_t>(t) * spec.interval_ns, .values = Row(one, t)},
          INT64_MAX);
      if (t < 24 || t + 3 >= 40) continue;
      for (std::size_t h = 0; h < 3; ++h) {
        const double target = one.values[2 * (t + 1 + h) + spec.target];
        const float* const forecast = &answer.forecast[h * spec.quantiles.size()];
        const double error = forecast[1] - target;
        squares += error * error;
        absolute += std::abs(error);
        inside += forecast[0] <= target && target <= forecast[2] ? 1 : 0;
        naive += std::abs(one.values[2 * t + spec.target] - target);
      }
    }
  }
  const double deviation = spec.features[spec.target].deviation;
  EXPECT_NEAR(errors[kModel].mse, squares / 78 / deviation / deviation, 1e-4);
  EXPECT_NEAR(errors[kModel].mae, absolute / 78 / deviation, 1e-4);
  EXPECT_NEAR(errors[kModel].coverage, inside / 78, 1e-9);
  EXPECT_NEAR(errors[kLastValue].mae, naive / 78 / deviation, 1e-4);
}

// Without its first rows, which vary more, a stream has another deviation of its own.
TEST(BacktestTest, DeviationRowsMakeTheUnitThatOfAShorterSeries) {
  ModelSpec spec = TinySpec();
  spec.per_stream = true;
  const auto model = TinyModel(spec);
  Series whole = Wave(40, 0), last = Wave(40, 0);
  for (std::size_t t = 0; t < 15; ++t) whole.values[2 * t + spec.target] *= 10;
  last.begin_ns = 15 * spec.interval_ns;
  last.values.erase(last.values.begin(), last.values.begin() + 30);
  last.scored.resize(25);
  const auto of = [&](const Series& series, std::size_t from, std::size_t rows) {
    const auto result = RunBacktest(*model, {series}, {.from = {from}, .deviation_rows = rows});
    EXPECT_TRUE(result.ok()) << result.status();
    return result.ok() ? result->horizons[0].errors[kLastValue].mae : 0;
  };
  EXPECT_DOUBLE_EQ(of(whole, 25, 10), of(last, 10, 0));
  EXPECT_LT(of(whole, 25, 0), of(whole, 25, 10));
}

// A server meets missing ticks as bridged steps, and a gap that is too long by beginning anew.
TEST(BacktestTest, MissingRowsAndGapsAreWhatTheyAreToAServer) {
  const auto model = TinyModel(TinySpec());
  const ModelSpec& spec = model->spec();
  std::vector<Series> pieces = {Wave(30, 0), Wave(30, 2)};
  for (const std::size_t t : {7, 8, 20}) pieces[0].values[2 * t] = pieces[0].values[2 * t + 1] = kNaN;
  pieces[1].begin_ns = 50 * spec.interval_ns;
  const auto result = RunBacktest(*model, pieces, {.from = {30, 10}, .horizons = {2}, .examples = 1});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->horizons[0].origins, 30u - 10 - 2 + 1);

  ReplayedStream stream(model);
  std::vector<std::vector<float>> answers(30);
  for (const Series& piece : pieces) {
    for (std::size_t t = 0; t < 30; ++t) {
      if (std::isnan(piece.values[2 * t])) continue;
      const std::int64_t time = piece.begin_ns + static_cast<std::int64_t>(t) * spec.interval_ns;
      const auto answer = stream.Push({.timestamp_ns = time, .values = Row(piece, t)}, INT64_MAX);
      ASSERT_EQ(answer.outcome, Outcome::kApplied);
      answers[t] = answer.forecast;
    }
  }
  ASSERT_EQ(result->examples.size(), 1u);
  const ForecastExample& example = result->examples[0];
  const auto row = static_cast<std::size_t>((example.origin_ns - pieces[1].begin_ns) / spec.interval_ns);
  EXPECT_EQ(example.quantiles, std::vector<float>(answers[row].begin(), answers[row].begin() + 6));
  EXPECT_EQ(example.truth,
            (std::vector<float>{pieces[1].values[2 * (row + 1)], pieces[1].values[2 * (row + 2)]}));
  EXPECT_EQ(example.before.back(), pieces[1].values[2 * row]);
}

// The table of a cycle goes by the time of a reading, not by its row.
TEST(BacktestTest, ReadingsThatDriftOffTheGridMeanWhatTheyDoToAServer) {
  ModelSpec spec = TinySpec();
  spec.cycle = 5;
  const auto model = TinyModel(spec);
  Series wave = Wave(40, 0);
  for (std::size_t t = 0; t < 40; ++t)
    wave.time_ns.push_back(static_cast<std::int64_t>(t) * spec.interval_ns / 4 * 5);
  const auto result = RunBacktest(*model, {wave}, {.from = {20}, .horizons = {2}, .examples = 1});
  ASSERT_TRUE(result.ok()) << result.status();
  ReplayedStream stream(model);
  ASSERT_EQ(result->examples.size(), 1u);
  const ForecastExample& example = result->examples[0];
  for (std::size_t t = 0; t < 40; ++t) {
    const auto answer = stream.Push({.timestamp_ns = wave.time_ns[t], .values = Row(wave, t)}, INT64_MAX);
    ASSERT_EQ(answer.outcome, Outcome::kApplied);
    if (wave.time_ns[t] != example.origin_ns) continue;
    EXPECT_EQ(example.quantiles, std::vector<float>(answer.forecast.begin(), answer.forecast.begin() + 6));
    return;
  }
  FAIL() << "no reading at " << example.origin_ns;
}

TEST(BacktestTest, PicturesAgreeWithTheTable) {
  const auto model = TinyModel(TinySpec());
  const auto result = RunBacktest(*model, {Wave(200, 0)}, {.from = {120}, .horizons = {3}, .season = 21});
  ASSERT_TRUE(result.ok()) << result.status();
  const ErrorsOfAll& errors = result->horizons[0].errors;
  EXPECT_GT(errors[kLinear].targets, 0u);
  EXPECT_LT(errors[kLinear].mae, errors[kLastValue].mae);  // a sine is linear in its past
  for (std::size_t f = 0; f < kForecasters; ++f) {
    double mae = 0;
    for (const ErrorsOfAll& step : result->steps_ahead) mae += step[f].mae / 3;
    EXPECT_NEAR(mae, errors[f].mae, 1e-9);
  }
  double inside = 0, targets = 0;
  for (const CoverageBlock& block : result->blocks) {
    inside += block.coverage * static_cast<double>(block.targets);
    targets += static_cast<double>(block.targets);
  }
  EXPECT_EQ(targets, 3 * 78);
  EXPECT_NEAR(inside / targets, errors[kModel].coverage, 1e-9);
  EXPECT_NEAR(result->below[2] - result->below[0], errors[kModel].coverage, 0.02);
}

TEST(BacktestTest, MissingTargetsAreLeftOutForAllForecasters) {
  const auto model = TinyModel(TinySpec());
  Series wave = Wave(200, 0);
  for (std::size_t t = 130; t < 140; ++t) wave.values[2 * t] = kNaN;
  const auto result = RunBacktest(*model, {wave}, {.from = {120}, .horizons = {1}});
  ASSERT_TRUE(result.ok()) << result.status();
  for (const Errors& errors : result->horizons[0].errors) EXPECT_EQ(errors.targets, 80u - 10);
}

TEST(BacktestTest, TheClockMeasuresStepsAlone) {
  const auto model = TinyModel(TinySpec());
  double now = 0;
  const auto result =
      RunBacktest(*model, {Wave(40, 0)}, {.from = {20}, .clock = [&now] { return now += 0.5; }});
  ASSERT_TRUE(result.ok()) << result.status();
  EXPECT_EQ(result->seconds, 40 * 0.5);
}

TEST(BacktestTest, RefusesWhatItCannotScore) {
  const auto model = TinyModel(TinySpec());
  const auto message = [&](std::size_t rows, const BacktestOptions& options) {
    return std::string(RunBacktest(*model, {Wave(rows, 0)}, options).status().message());
  };
  EXPECT_THAT(message(40, {.horizons = {4}}), testing::HasSubstr("horizon 4"));
  EXPECT_THAT(message(20, {.from = {18}}), testing::HasSubstr("test part has 2 rows"));
  EXPECT_THAT(message(40, {.from = {1, 2}}), testing::HasSubstr("2 first rows for 1 series"));
  EXPECT_THAT(message(40, {.season = 0}), testing::HasSubstr("season"));
  Series other = Wave(40, 0);
  other.features = 1;
  EXPECT_THAT(std::string(RunBacktest(*model, {other}, {}).status().message()),
              testing::HasSubstr("1 features"));
}

}  // namespace
}  // namespace tidegate
