#include "engine/stream/stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kLatest = 1'000'000 * kSecond;

// One stream driven by hand: what the shard does, for a batch of one.
class StreamTest : public testing::Test {
 protected:
  void SetUp() override { StartStream(*model_, stream()); }

  Decision Push(std::int64_t timestamp, std::vector<float> values) {
    return Push(Reading{timestamp, values});
  }

  Decision Push(const Reading& reading) {
    const Decision decision = Decide(spec_, header_, reading, kLatest);
    if (decision.outcome != Outcome::kApplied) Refuse(header_, reading, decision);
    if (decision.outcome != Outcome::kApplied) return decision;
    if (decision.restart) Restart(*model_, stream(), decision);
    for (std::uint32_t i = decision.bridges; i > 0; --i)
      Step(reading.timestamp_ns - i * spec_.interval_ns, {});
    Commit(spec_, header_, reading, decision, Step(reading.timestamp_ns, reading.values));
    return decision;
  }

  bool Step(std::int64_t time, std::span<const float> values) {
    std::vector<float> inputs(spec_.inputs());
    const bool imputed = Prepare(*model_, stream(), time, values, inputs);
    float* const state = floats_.data();
    model_->Step(inputs, std::span(&state, 1), forecast_, workspace_);
    Finish(*model_, stream(), time, forecast_);
    return imputed;
  }

  StreamRef stream() { return {*model_, header_, floats_}; }

  const std::shared_ptr<const Model> model_ = TinyModel();
  const ModelSpec& spec_ = model_->spec();
  StreamHeader header_;
  std::vector<float> floats_ = std::vector<float>(StreamFloats(*model_));
  std::vector<float> forecast_ = std::vector<float>(spec_.outputs());
  Model::Workspace workspace_;
};

TEST_F(StreamTest, TimeIsAGridOfTheInterval) {
  EXPECT_TRUE(Push(100 * kSecond, {20, 50}).first);
  EXPECT_EQ(Push(101 * kSecond, {20, 50}).bridges, 0u);
  EXPECT_EQ(Push(102 * kSecond + kSecond / 2 - 1, {20, 50}).bridges, 0u);
  EXPECT_EQ(Push(104 * kSecond, {20, 50}).bridges, 1u);  // 1.5 intervals and a nanosecond later: two ticks
  EXPECT_EQ(Push(108 * kSecond, {20, 50}).bridges, 3u);  // the limit
  EXPECT_EQ(header_.steps, 3u + 2 + 4);
  const Decision late = Push(113 * kSecond, {20, 50});  // one more
  EXPECT_TRUE(late.restart);
  EXPECT_FALSE(late.first);
  EXPECT_EQ(header_.steps, 1u);
  EXPECT_EQ(header_.quality, quality::kCold | quality::kRestarted);
}

TEST_F(StreamTest, WhatIsNotAppliedChangesNothing) {
  Push(100 * kSecond, {20, 50});
  Push(101 * kSecond, {21, kNaN});
  const std::vector<float> before = floats_;
  EXPECT_EQ(Push(101 * kSecond, {21, kNaN}).outcome, Outcome::kDuplicate);
  EXPECT_EQ(Push(101 * kSecond, {21, 50}).outcome, Outcome::kConflict);
  EXPECT_EQ(Push(101 * kSecond + 1, {21, 50}).outcome, Outcome::kLate);  // rounds to the same tick
  EXPECT_EQ(Push(100 * kSecond, {20, 50}).outcome, Outcome::kLate);
  EXPECT_EQ(Push(0, {20, 50}).outcome, Outcome::kLate);
  EXPECT_EQ(Push(102 * kSecond, {INFINITY, 50}).reason, Reason::kInfiniteValue);
  EXPECT_EQ(Push(102 * kSecond, {20, -INFINITY}).reason, Reason::kInfiniteValue);
  EXPECT_EQ(Push(-1, {20, 50}).reason, Reason::kNegativeTimestamp);
  EXPECT_EQ(Push(kLatest + 1, {20, 50}).reason, Reason::kFutureTimestamp);
  EXPECT_EQ(Push(std::numeric_limits<std::int64_t>::max(), {20, 50}).outcome, Outcome::kInvalid);
  EXPECT_EQ(std::memcmp(before.data(), floats_.data(), before.size() * sizeof(float)), 0);
  EXPECT_EQ(header_.steps, 2u);
}

// The reading that never came is not held against the forecast, so only the intervals may differ.
TEST_F(StreamTest, AMissingValueKeepsTheLastOne) {
  Push(1 * kSecond, {20, 50});
  Push(2 * kSecond, {kNaN, 55});
  EXPECT_EQ(header_.quality & quality::kImputed, quality::kImputed);
  const std::vector<float> imputed = forecast_, state(floats_.begin(), floats_.begin() + 5);
  StartStream(*model_, stream());
  Push(1 * kSecond, {20, 50});
  Push(2 * kSecond, {20, 55});
  for (std::size_t h = 0; h < spec_.horizon; ++h) EXPECT_EQ(forecast_[3 * h + 1], imputed[3 * h + 1]);
  EXPECT_THAT(state, testing::ElementsAreArray(floats_.data(), 5));
}

TEST_F(StreamTest, WithoutAnyTargetThereIsNoForecast) {
  Push(1 * kSecond, {kNaN, 50});
  EXPECT_THAT(forecast_, testing::Each(testing::Truly([](float v) { return std::isnan(v); })));
  EXPECT_TRUE(std::isnan(header_.anomaly_score));
  Push(2 * kSecond, {20, kNaN});
  EXPECT_THAT(forecast_, testing::Each(testing::Truly([](float v) { return std::isfinite(v); })));
}

TEST_F(StreamTest, ForecastsAreInTheTargetsUnitAroundItsLastValue) {
  Push(1 * kSecond, {20, 50});
  std::vector<float> outputs(spec_.outputs());
  float* const state = floats_.data();
  model_->Decode(std::span(&state, 1), outputs, workspace_);
  for (std::size_t i = 0; i < outputs.size(); ++i) {
    EXPECT_FLOAT_EQ(forecast_[i], 20 + spec_.step_deviation[i / 3] * outputs[i]);
  }
}

TEST_F(StreamTest, TheScoreComparesWithTheForecastMadeOneStepBefore) {
  Push(1 * kSecond, {20, 50});
  EXPECT_TRUE(std::isnan(header_.anomaly_score));
  const float median = forecast_[1];
  Push(2 * kSecond, {median + 0.4f, 50});
  EXPECT_NEAR(header_.anomaly_score, model_->residuals().Score(0.4f), 1e-5);
}

// Of a model with a scale for each stream, a sensor in another unit is as unusual.
TEST(AnomalyTest, DoesNotDependOnTheUnitOfAStreamWithItsOwnScale) {
  ModelSpec spec = TinySpec();
  spec.per_stream = true;
  for (Feature& feature : spec.features) feature.resolution = 1e-6f;
  const auto model = TinyModel(spec);
  const auto scores = [&](float unit) {
    StreamHeader header;
    std::vector<float> floats(StreamFloats(*model)), inputs(spec.inputs()), forecast(spec.outputs());
    Model::Workspace workspace;
    const StreamRef stream(*model, header, floats);
    StartStream(*model, stream);
    std::vector<float> all;
    for (int t = 0; t < 40; ++t) {
      const float phase = 0.7f * static_cast<float>(t);
      const float values[] = {unit * std::sin(phase), unit * std::cos(phase)};
      Prepare(*model, stream, t * kSecond, values, inputs);
      float* const state = floats.data();
      model->Step(inputs, std::span(&state, 1), forecast, workspace);
      Finish(*model, stream, t * kSecond, forecast);
      if (t < 2) {
        EXPECT_TRUE(std::isnan(header.anomaly_score)) << t << ": it has no scale yet";
      } else {
        all.push_back(header.anomaly_score);
      }
    }
    return all;
  };
  EXPECT_THAT(scores(1000), testing::Pointwise(testing::FloatNear(1e-3f), scores(1)));
}

TEST_F(StreamTest, ValuesOfAnySizeLeaveTheStateFinite) {
  const float huge = std::numeric_limits<float>::max();
  std::int64_t t = 0;
  for (const float v : {0.0f, huge, -huge, 1e-45f, huge, 20.0f}) {
    Push(++t * kSecond, {v, -v});
    for (std::size_t i = 0; i < model_->state_floats(); ++i) ASSERT_TRUE(std::isfinite(floats_[i])) << v;
  }
}

TEST_F(StreamTest, ColdUntilTheWarmUpIsDone) {
  for (int t = 1; t <= 5; ++t) {
    Push(t * kSecond, {20, 50});
    EXPECT_EQ(header_.quality & quality::kCold, t < 4 ? quality::kCold : 0) << t;
  }
}

TEST(ScaleInputsTest, GivesLevelsThenDifferencesInDeviations) {
  ModelSpec spec = TinySpec();  // temperature 20 +- 4, differences 0.5; humidity 50 +- 10, differences 1
  std::vector<float> previous = {kNaN, kNaN};
  std::vector<float> inputs(4);
  ScaleInputs(spec, {}, 0, std::vector<float>{22, 60}, previous, nullptr, inputs);
  EXPECT_THAT(inputs, testing::ElementsAre(0.5f, 1, 0, 0));
  ScaleInputs(spec, {}, 0, std::vector<float>{23, 1000}, previous, nullptr, inputs);
  EXPECT_THAT(inputs, testing::ElementsAre(0.75f, 8, 2, 8));  // clipped
  spec.input_limit = 1000;
  previous[1] = 60;
  ScaleInputs(spec, {}, 0, std::vector<float>{23, 1000}, previous, nullptr, inputs);
  EXPECT_THAT(inputs, testing::ElementsAre(0.75f, 95, 0, 940));
  spec.input_limit = 8;
  ScaleInputs(spec, {}, 0, {}, previous, nullptr, inputs);
  EXPECT_THAT(inputs, testing::ElementsAre(0.75f, 8, 0, 0));
  spec.level_inputs = false;
  inputs.resize(2);
  ScaleInputs(spec, {}, 0, std::vector<float>{22, 1000}, previous, nullptr, inputs);
  EXPECT_THAT(inputs, testing::ElementsAre(-2, 0));
}

TEST(CycleTest, ARowIsOfTheNearestTick) {
  ModelSpec spec = TinySpec();
  spec.interval_ns = 10;
  for (std::int64_t tick = 1; tick < 20; ++tick) {
    for (const std::int64_t late : {-5, -1, 0, 1, 4}) {
      EXPECT_EQ(CycleRow(spec, 7, 10 * tick + late), static_cast<std::size_t>(tick % 7)) << tick << late;
    }
  }
  EXPECT_LT(CycleRow(spec, 7, std::numeric_limits<std::int64_t>::max()), 7u);
}

// The cycle's row goes by the timestamp, not by the number of readings: also across a gap, and into the
// forecast.
TEST(CycleTest, IsSubtractedByTimestampAndAddedToTheForecast) {
  ModelSpec spec = TinySpec();
  spec.cycle = 5;
  const Tensors tensors = TinyTensors(spec);
  const auto cyclic = *Model::Create(spec, tensors);
  spec.cycle = 0;
  const auto plain = *Model::Create(spec, tensors);
  const auto table = [&](std::int64_t t, std::size_t f) {
    return tensors.at("cycle.table").values[static_cast<std::size_t>(t / kSecond % 5) * 2 + f];
  };
  const auto run = [](const Model& model,
                      const std::vector<std::pair<std::int64_t, std::vector<float>>>& readings) {
    StreamHeader header;
    std::vector<float> floats(StreamFloats(model)), inputs(model.spec().inputs()),
        outputs(model.spec().outputs());
    Model::Workspace workspace;
    const StreamRef stream(model, header, floats);
    StartStream(model, stream);
    for (const auto& [time, values] : readings) {
      Prepare(model, stream, time, values, inputs);
      float* const state = floats.data();
      model.Step(inputs, std::span(&state, 1), outputs, workspace);
      Unscale(model, stream.kept, time, outputs);
    }
    return outputs;
  };
  std::vector<std::pair<std::int64_t, std::vector<float>>> readings, less;
  for (const std::int64_t tick : {3, 4, 5, 9, 10}) {
    const std::int64_t time = tick * kSecond + kSecond / 3;
    const std::vector<float> values = {20 + static_cast<float>(tick), 50 - static_cast<float>(tick)};
    readings.push_back({time, values});
    less.push_back({time, {values[0] - table(time, 0), values[1] - table(time, 1)}});
  }
  const auto found = run(*cyclic, readings), expected = run(*plain, less);
  for (std::size_t h = 0; h < spec.horizon; ++h) {
    const std::int64_t then = readings.back().first + static_cast<std::int64_t>(h + 1) * kSecond;
    for (std::size_t q = 0; q < 3; ++q)
      EXPECT_NEAR(found[3 * h + q], expected[3 * h + q] + table(then, spec.target), 1e-5);
  }
}

}  // namespace
}  // namespace tidegate
