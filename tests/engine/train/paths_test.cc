// The paths of a model beside its network: cycle, linear path, mixing, and a model that has them all.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <numbers>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "engine/model/model.h"
#include "engine/stream/stream.h"
#include "engine/train/cycle.h"
#include "engine/train/mixing.h"
#include "engine/train/trainer.h"

namespace tidegate {
namespace {

constexpr std::int64_t kHour = std::int64_t{3'600} * 1'000'000'000;

// A day's shape on a slow wave, hourly from three o'clock on; channel c is 10^c times as large.
Series Daily(std::size_t rows, std::size_t channel) {
  std::mt19937_64 random(channel + 1);
  std::normal_distribution<double> noise(0, 0.1);
  Series series = {.stream = "channel " + std::to_string(channel),
                   .features = 2,
                   .begin_ns = 3 * kHour,
                   .values = {},
                   .scored = std::vector<bool>(rows, true)};
  for (std::size_t t = 0; t < rows; ++t) {
    const auto hour = static_cast<double>(t + 3);
    const double value = std::sin(2 * std::numbers::pi * hour / 24) +
                         std::sin(2 * std::numbers::pi * hour / 8) + std::sin(hour / 150) + noise(random);
    series.values.push_back(static_cast<float>(std::pow(10, static_cast<double>(channel)) * (5 + value)));
    series.values.push_back(static_cast<float>(channel));
  }
  return series;
}

TrainOptions Options() {
  TrainOptions options;
  options.name = "daily";
  options.interval_ns = kHour;
  options.features = {"value", "channel"};
  options.channels = {"small", "large"};
  options.level_inputs = true;
  options.difference_inputs = false;
  options.interleaved = true;
  options.layers = {
      {.kind = LayerKind::kConv1d, .units = 8, .kernel = 6, .stride = 6, .relative = true, .relu = true},
      {.units = 12, .dropout = 0.1f}};
  options.head = HeadKind::kParallel;
  options.segment = 6;
  options.horizon = 12;
  options.adapt = true;
  options.quantiles = {0.1f, 0.5f, 0.9f};
  options.warm_up = 48;
  options.sequence_length = options.truncation = 96;
  options.epochs = 6;
  options.batch = 16;
  options.learning_rate = 5e-3;
  options.even_steps = true;
  options.averaging = 0.9;
  options.linear_contexts = {24, 48};
  options.find_cycle = true;
  return options;
}

ModelSpec Spec() {
  ModelSpec spec;
  spec.interval_ns = kHour;
  spec.features = {{.name = "value"}, {.name = "channel"}};
  spec.channels = 2;
  spec.channel_scales = {{.name = "small"}, {.name = "large"}};
  return spec;
}

TEST(CycleTest, TriesDayWeekAndTheStrongestLag) {
  EXPECT_THAT(CandidatePeriods({Daily(900, 0)}, {900}, Spec()), testing::ElementsAre(24, 168));
  ModelSpec spec = Spec();
  spec.interval_ns = kHour / 3 - 1;  // no day is a whole number of these
  EXPECT_THAT(CandidatePeriods({Daily(900, 0)}, {900}, spec), testing::ElementsAre(24));
  EXPECT_THAT(CandidatePeriods({Daily(12, 0)}, {12}, spec), testing::ElementsAre());
}

TEST(CycleTest, IsTheDaysShapeByTheClockWithoutTheTrend) {
  const std::vector<float> table = FitCycle({Daily(960, 0), Daily(960, 1)}, {960, 960}, Spec(), 24);
  ASSERT_EQ(table.size(), 48u);
  for (std::size_t hour = 0; hour < 24; ++hour) {
    const double at = 2 * std::numbers::pi * static_cast<double>(hour);
    const double shape = std::sin(at / 24) + std::sin(at / 8);
    EXPECT_NEAR(table[2 * hour], shape, 0.1) << hour;
    EXPECT_NEAR(table[2 * hour + 1], 10 * shape, 1) << hour;
  }
}

TEST(MixingTest, FollowsTheBetterPathBlockByBlock) {
  ModelSpec spec;
  spec.horizon = 16;
  spec.quantiles = {0.5f};
  spec.step_deviation.assign(16, 2.0f);
  MixingFit fit(spec);
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal;
  Matrix targets(400, 16), network = targets, linear = targets;
  for (std::size_t r = 0; r < 400; ++r) {
    for (std::size_t h = 0; h < 16; ++h) {
      targets.row(r)[h] = normal(random);
      network.row(r)[h] = targets.row(r)[h] + (h < 8 ? 0.1f : 2) * normal(random);
      linear.row(r)[h] = targets.row(r)[h] + (h < 8 ? 2 : 0.1f) * normal(random);
    }
  }
  fit.Add(std::vector<std::size_t>(400), targets, network, linear);
  const std::vector<float> weights = fit.Weights(std::vector<double>(16, 1.0));
  ASSERT_EQ(weights.size(), 16u);
  EXPECT_GT(weights[0], 0.8);
  EXPECT_LT(weights[15], 0.2);
  EXPECT_EQ(fit.Weights(std::vector<double>(16, 0.0))[0], 0);
}

TEST(PathsTest, WhatComesBeforeTheFirstEpochIsNamedAndCanBeStopped) {
  const std::vector<Series> series = {Daily(600, 0), Daily(600, 1)};
  std::vector<std::string> parts;
  const auto stop_at = [&](const std::string& last) {
    TrainHooks hooks;
    parts.clear();
    hooks.part = [&](const std::string& part) {
      parts.push_back(part);
      return part != last;
    };
    return Train(series, Options(), hooks).status();
  };
  const absl::Status stopped = stop_at("the linear path's contexts");
  EXPECT_EQ(stopped.code(), absl::StatusCode::kCancelled);
  EXPECT_THAT(parts, testing::AllOf(testing::Contains("forecasts without a cycle"),
                                    testing::Contains("a cycle of 24 readings")));
  EXPECT_EQ(parts.back(), "the linear path's contexts");
}

// Mean absolute error of each series over its last rows, in its own deviations, forecast as serving does it.
double ServedError(const Model& model, const Series& series, std::size_t split) {
  const ModelSpec& spec = model.spec();
  StreamHeader header;
  std::vector<float> floats(StreamFloats(model)), inputs(spec.inputs()), outputs(spec.outputs());
  const StreamRef stream(model, header, floats);
  StartStream(model, stream);
  Model::Workspace workspace;
  double error = 0, count = 0;
  for (std::size_t t = 0; t < series.size(); ++t) {
    const std::int64_t time = series.begin_ns + static_cast<std::int64_t>(t) * kHour;
    Prepare(model, stream, time, std::span(&series.values[2 * t], 2), inputs);
    float* state = floats.data();
    model.Step(inputs, {&state, 1}, outputs, workspace);
    Unscale(model, stream.kept, time, outputs);
    for (std::size_t h = 0; t >= split && h < spec.horizon && t + 1 + h < series.size(); ++h) {
      error += std::abs(series.values[2 * (t + 1 + h)] - outputs[3 * h + 1]);
      ++count;
    }
  }
  const std::size_t channel = spec.ChannelOf(series.values[1]);
  return error / count / spec.channel_scales[channel].deviation;
}

// Readings that enter the recurrent layer together; by one, each step of the horizon is decoded by itself.
class SegmentTest : public testing::TestWithParam<std::size_t> {};
INSTANTIATE_TEST_SUITE_P(Segments, SegmentTest, testing::Values(1, 6));

TEST_P(SegmentTest, ServesWhatWasValidated) {
  const std::vector<Series> series = {Daily(900, 0), Daily(900, 1)};
  TrainOptions options = Options();
  options.segment = options.layers[0].kernel = options.layers[0].stride = GetParam();
  options.interleaved = options.segment > 1;
  const auto trained = Train(series, options, nullptr);
  ASSERT_TRUE(trained.ok()) << trained.status();
  const ModelSpec& spec = trained->spec;
  EXPECT_EQ(spec.cycle, 24u);
  EXPECT_EQ(spec.bias_period, 24u);
  EXPECT_EQ(spec.input_limit, 1000);
  EXPECT_GT(spec.linear_context, 0u);
  EXPECT_NEAR(spec.channel_scales[1].deviation, 10 * spec.channel_scales[0].deviation, 1);
  const auto model = Model::Create(spec, trained->tensors);
  ASSERT_TRUE(model.ok()) << model.status();
  const double small = ServedError(**model, series[0], 900 - 135),
               large = ServedError(**model, series[1], 900 - 135);
  const double validated = spec.validation.mae;  // in the channels' units, so that the large one counts alone
  EXPECT_NEAR((small * spec.channel_scales[0].deviation + large * spec.channel_scales[1].deviation) / 2,
              validated, 2e-3 * validated);
  EXPECT_LT(small, 0.2);  // the noise alone is 0.07
  EXPECT_LT(large, 0.2);
}

TEST(TrainPathsTest, RefitChangesTheWeightsButNotTheScore) {
  const std::vector<Series> series = {Daily(600, 0), Daily(600, 1)};
  TrainOptions options = Options();
  options.epochs = 3;
  options.median_first = true;
  const auto before = Train(series, options, nullptr);
  options.refit = true;
  const auto after = Train(series, options, nullptr);
  ASSERT_TRUE(before.ok() && after.ok()) << before.status() << after.status();
  EXPECT_EQ(before->spec.validation.mae, after->spec.validation.mae);
  EXPECT_EQ(before->tensors.at("mixing.network").values, after->tensors.at("mixing.network").values);
  EXPECT_NE(before->tensors.at("linear.weight").values, after->tensors.at("linear.weight").values);
  EXPECT_NE(before->tensors.at("head.weight").values, after->tensors.at("head.weight").values);
  const auto model = Model::Create(after->spec, after->tensors);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_LT(ServedError(**model, series[0], 600 - 90), 0.2);
}

TEST(TrainPathsTest, FewRowsHaveAShortContext) {
  TrainOptions options = Options();
  options.epochs = 1;
  options.linear_contexts = {200, 400};
  const std::vector<Series> series = {Daily(400, 0), Daily(400, 1)};
  const auto trained = Train(series, options, nullptr);
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_GE(trained->spec.linear_context, 200u);
  EXPECT_LE(trained->spec.linear_context, 800u / 3) << "a third of all rows";
}

TEST(TrainPathsTest, ALongHorizonLeavesOnlyContextsThatCanBeJudged) {
  TrainOptions options = Options();
  options.epochs = 1;
  options.validation_fraction = 0.3;
  options.horizon = 354;
  options.linear_contexts = {700, 24};  // 700 rows of context leave no block a whole horizon
  const std::vector<Series> series = {Daily(1400, 0), Daily(1400, 1)};
  const auto trained = Train(series, options, nullptr);
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_GT(trained->spec.linear_context, 1u);
  EXPECT_LE(trained->spec.linear_context, 1400u - 2 * 354);
  EXPECT_LT(trained->spec.validation.mae, 0.7 * trained->spec.validation.persistence_mae);
}

TEST(TrainPathsTest, ARandomWalkIsLeftToItsLastValue) {
  std::mt19937_64 random(1);
  std::normal_distribution<float> step;
  Series walk = Daily(900, 0);
  for (std::size_t t = 0; t < walk.size(); ++t)
    walk.values[2 * t] = step(random) + (t > 0 ? walk.values[2 * t - 2] : 0);
  TrainOptions options = Options();
  options.channels = {"walk"};
  options.epochs = 2;
  const auto trained = Train({walk}, options, nullptr);
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_EQ(trained->spec.cycle, 0u);
  EXPECT_EQ(trained->spec.bias_period, 0u);
  EXPECT_LT(trained->spec.validation.mae, 1.005 * trained->spec.validation.persistence_mae);
}

}  // namespace
}  // namespace tidegate
