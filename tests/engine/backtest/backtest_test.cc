#include "engine/backtest/backtest.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "engine/stream/replay.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

Series Wave(std::size_t rows, double phase) {
  Series series = {.stream = "wave", .features = 2, .values = {}, .scored = std::vector<bool>(rows, true)};
  for (std::size_t t = 0; t < rows; ++t) {
    series.values.push_back(20 + static_cast<float>(std::sin(phase + 0.3 * static_cast<double>(t))));
    series.values.push_back(static_cast<float>(t % 5));
  }
  return series;
}

TEST(BacktestTest, ScoresEveryOriginOfWhatAServerAnswers) {
  const auto model = TinyModel(TinySpec());
  const ModelSpec& spec = model->spec();
  const std::vector<Series> series = {Wave(40, 0), Wave(40, 1)};
  const auto result = RunBacktest(*model, series, {.from = 25, .horizons = {3, 1}}, nullptr);
  ASSERT_TRUE(result.ok()) << result.status();
  ASSERT_EQ(result->horizons.size(), 2u);
  EXPECT_EQ(result->horizons[0].origins, 15u);  // 40 - 25 - 1 + 1
  EXPECT_EQ(result->horizons[1].origins, 13u);  // 40 - 25 - 3 + 1
  EXPECT_EQ(result->horizons[1].scored, 2u * 13 * 3);
  EXPECT_EQ(result->steps, 80u);

  double squares = 0, absolute = 0, naive = 0;
  for (const Series& one : series) {
    ReplayedStream stream(model);
    for (std::size_t t = 0; t < 40; ++t) {
      const auto answer = stream.Push({.timestamp_ns = static_cast<std::int64_t>(t) * spec.interval_ns,
                                       .values = std::span(one.values).subspan(2 * t, 2)},
                                      INT64_MAX);
      if (t < 24 || t + 3 >= 40) continue;
      for (std::size_t h = 0; h < 3; ++h) {
        const double target = one.values[2 * (t + 1 + h) + spec.target];
        const double error = answer.forecast[h * spec.quantiles.size() + spec.quantiles.size() / 2] - target;
        squares += error * error;
        absolute += std::abs(error);
        naive += std::abs(one.values[2 * t + spec.target] - target);
      }
    }
  }
  const double deviation = spec.features[spec.target].deviation;
  EXPECT_NEAR(result->horizons[1].mse, squares / 78 / deviation / deviation, 1e-4);
  EXPECT_NEAR(result->horizons[1].mae, absolute / 78 / deviation, 1e-4);
  EXPECT_NEAR(result->horizons[1].error, absolute / 78, 1e-4);
  EXPECT_NEAR(result->horizons[1].persistence_mae, naive / 78 / deviation, 1e-4);
}

TEST(BacktestTest, RefusesWhatItCannotScore) {
  const auto model = TinyModel(TinySpec());
  const auto message = [&](std::size_t rows, const BacktestOptions& options) {
    return std::string(RunBacktest(*model, {Wave(rows, 0)}, options, nullptr).status().message());
  };
  EXPECT_THAT(message(40, {.from = 0, .horizons = {4}}), testing::HasSubstr("horizon 4"));
  EXPECT_THAT(message(20, {.from = 18, .horizons = {}}), testing::HasSubstr("takes at least 21"));
  Series other = Wave(40, 0);
  other.features = 1;
  EXPECT_THAT(std::string(RunBacktest(*model, {other}, {}, nullptr).status().message()),
              testing::HasSubstr("1 features"));
}

}  // namespace
}  // namespace tidegate
