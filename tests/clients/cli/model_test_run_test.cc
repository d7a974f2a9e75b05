#include "clients/cli/model_test_run.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

// Streams of different lengths, each with a scale of its own that changed long before the test part.
LearningData Data() {
  LearningData data;
  for (const std::size_t rows : {1'900U, 3'600U}) {
    Series series = {.stream = std::to_string(rows), .features = 2, .begin_ns = 0};
    for (std::size_t t = 0; t < rows; ++t) {
      const float size = t < rows / 4 ? 20.0f : 1.0f;
      series.values.push_back(20 + size * static_cast<float>(t % 7));
      series.values.push_back(50 + static_cast<float>(t % 5));
      series.time_ns.push_back(static_cast<std::int64_t>(t) * 1'000'000'000);
    }
    series.scored.assign(rows, true);
    data.test.push_back(series);
    data.from.push_back(rows * 4 / 5);
  }
  data.options.interval_ns = 1'000'000'000;
  return data;
}

TEST(ModelTestRunTest, AModelErrsAlikeWithBaselinesBesideIt) {
  TrainedModel model = {.spec = TinySpec()};
  model.spec.per_stream = true;
  model.tensors = TinyTensors(model.spec);
  const LearningData data = Data();
  const auto alone = TestModel(model, data), beside = TestModel(model, data, 0, /*baselines=*/true);
  ASSERT_TRUE(alone.ok()) << alone.status();
  ASSERT_TRUE(beside.ok()) << beside.status();
  const auto mae = [](const Backtest& test, Forecaster who) {
    return test.horizons.back().errors[static_cast<std::size_t>(who)].mae;
  };
  EXPECT_EQ(mae(*alone, Forecaster::kModel), mae(*beside, Forecaster::kModel));
  // In one unit: both have the last value.
  EXPECT_NEAR(mae(*alone, Forecaster::kLastValue), mae(*beside, Forecaster::kLastValue), 1e-6);
  EXPECT_GT(mae(*beside, Forecaster::kLinear), 0);
  EXPECT_EQ(CompareModels(*alone, *beside, 3).p, 1);
}

TEST(ModelTestRunTest, ErrorsAreComparedStreamByStreamWhateverTheirOrder) {
  Backtest one, other;
  for (std::int64_t tick = 0; tick < 500; ++tick) {
    for (std::size_t stream = 0; stream < 2; ++stream) {
      const double loss = static_cast<double>((tick * 37 + static_cast<std::int64_t>(stream) * 11) % 101);
      one.origin_losses.push_back({.stream = stream, .tick = tick, .mae = loss});
      other.origin_losses.push_back({.stream = stream, .tick = tick, .mae = loss + 0.5 + 0.1 * (tick % 3)});
    }
  }
  const double p = CompareModels(one, other, 3).p;
  EXPECT_LT(p, 1e-6);
  std::ranges::stable_sort(other.origin_losses, {}, &OriginLoss::stream);
  EXPECT_EQ(CompareModels(one, other, 3).p, p);
  other.origin_losses = one.origin_losses;
  std::ranges::reverse(other.origin_losses);
  EXPECT_EQ(CompareModels(one, other, 3).p, 1);
}

}  // namespace
}  // namespace tidegate
