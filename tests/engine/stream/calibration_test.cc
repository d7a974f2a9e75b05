#include "engine/stream/calibration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <vector>

#include "engine/stream/even_quantiles.h"
#include "engine/stream/replay.h"
#include "engine/stream/stream.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

struct Kept {  // an answered forecast that waits for its reading
  float low, median, high;
};

// Plain scores of a stream's answers, held against the readings by whoever received them.
struct Scores {
  int scored = 0, covered = 0;
  double error = 0, naive = 0, width = 0, pinball = 0;
};

// Feeds a model with random weights a series, and scores the forecasts it answered for one step ahead.
Scores Feed(const std::shared_ptr<const Model>& model, std::size_t ahead, const std::vector<float>& series,
            ReplayedStream& stream) {
  Scores scores;
  std::vector<Kept> answers;
  const float half = model->spec().features[0].resolution / 2;
  for (std::size_t t = 0; t < series.size(); ++t) {
    const std::vector<float> values = {series[t], 50};
    const auto time = static_cast<std::int64_t>(t + 1) * kSecond;
    if (t >= ahead) {
      const Kept& made = answers[t - ahead];
      ++scores.scored;
      scores.covered += series[t] >= made.low - half && series[t] <= made.high + half ? 1 : 0;
      scores.error += std::abs(series[t] - made.median);
      scores.width += made.high - made.low;
      const auto pinball = [&](double level, double forecast) {
        return std::max(level * (series[t] - forecast), (level - 1) * (series[t] - forecast));
      };
      scores.pinball += (pinball(0.1, made.low) + pinball(0.5, made.median) + pinball(0.9, made.high)) / 3;
    }
    if (t > 0) scores.naive += std::abs(series[t] - series[t - 1]);
    const auto answer = stream.Push({time, values}, time);
    const float* const row = answer.forecast.data() + (ahead - 1) * 3;
    answers.push_back({row[0], row[1], row[2]});
  }
  return scores;
}

// Level, spread and shape that change: what a model that was never trained on it has to be corrected for.
std::vector<float> DriftingSeries(unsigned seed, std::size_t readings, float resolution) {
  std::mt19937 random(seed);
  std::normal_distribution<float> normal;
  std::vector<float> series;
  double level = 20, spread = 0.1 * (2 + seed % 5);
  for (std::size_t t = 0; t < readings; ++t) {
    if (t % 700 == 600) spread *= (t / 700 + seed) % 2 == 0 ? 2.5 : 0.4;
    if (t % 900 == 899) level += 10;
    const float shock = normal(random);
    level += spread * shock * (random() % 20 == 0 ? 4 : 1);
    const auto value = static_cast<float>(level + 3 * std::sin(static_cast<double>(t) / 50));
    series.push_back(resolution == 0 ? value : std::round(value / resolution) * resolution);
  }
  return series;
}

class DriftTest : public testing::TestWithParam<float> {};  // resolution of the sensor

TEST_P(DriftTest, TheIntervalHoldsItsShareOnSeriesThatDrift) {
  ModelSpec spec = TinySpec();
  spec.features[0].resolution = GetParam();
  const auto model = TinyModel(spec);
  for (unsigned seed = 1; seed <= 12; ++seed) {
    const std::vector<float> series = DriftingSeries(seed, 3000, GetParam());
    for (const std::size_t ahead : {std::size_t{1}, spec.horizon}) {
      ReplayedStream stream(model);
      const Scores scores = Feed(model, ahead, series, stream);
      EXPECT_NEAR(static_cast<double>(scores.covered) / scores.scored, 0.8, 0.02)
          << "seed " << seed << ", " << ahead << " ahead";
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Resolutions, DriftTest, testing::Values(0.0f, 0.05f));

TEST(CalibrationAccuracyTest, WhatAStreamKnowsOfItselfIsWhatItsAnswersWereWorth) {
  const auto model = TinyModel();
  const StreamLayout& layout = model->layout();
  const std::vector<float> series = DriftingSeries(3, 2000, 0);
  for (std::size_t k = 0; k < layout.steps.size(); ++k) {
    ReplayedStream stream(model);
    const Scores scores = Feed(model, layout.steps[k], series, stream);
    TrackedStep tracked;
    std::memcpy(&tracked, stream.floats().data() + layout.tracked + k * layout.tracked_width, sizeof tracked);
    const double n = scores.scored;
    EXPECT_EQ(tracked.scored, n);
    EXPECT_NEAR(tracked.mae, scores.error / n, 1e-3 * tracked.mae);
    EXPECT_NEAR(tracked.coverage, scores.covered / n, 1e-3);
    EXPECT_NEAR(tracked.width, scores.width / n, 1e-3 * tracked.width);
    EXPECT_NEAR(tracked.pinball, scores.pinball / n, 1e-3 * tracked.pinball);
    EXPECT_NEAR(stream.floats()[layout.naive_error], scores.naive / 1999, 1e-3);
  }
}

TEST(CalibrationTableTest, GivesTheQuantilesOfItsRatiosAndGrowsBeyondThem) {
  std::vector<float> ratios;
  for (int i = 0; i <= 1000; ++i) ratios.push_back(static_cast<float>(i) * 0.002f);  // 0 to 2
  const CalibrationTable table(EvenQuantiles(ratios, CalibrationTable::kLevels));
  EXPECT_NEAR(table.Ratio(0, 0.25f, 0.9f), 0.5f, 1e-4);
  EXPECT_NEAR(table.Ratio(0, 0.904f, 0.9f), 1.808f, 1e-4);
  EXPECT_NEAR(table.Ratio(0, 1, 0.9f), 2, 1e-4);
  EXPECT_NEAR(table.Ratio(0, 1.4f, 0.9f), 2 + 2 * 3, 1e-3);
  EXPECT_EQ(table.Ratio(0, 0, 0.9f), 0);
  EXPECT_NEAR(table.Ratio(0, -0.2f, 0.9f), -1, 1e-4);
  const CalibrationTable none;
  EXPECT_EQ(none.Ratio(0, 0.9f, 0.9f), 1);
}

// The largest ratio of a validation says little: a stream that needs more width does not get an outlier's at
// once.
TEST(CalibrationTableTest, AnOutlierIsNotReachedFasterThanTheTableGrowsBeyondItsEnd) {
  std::vector<float> ratios(1000, 1);
  ratios.back() = 100;
  const CalibrationTable table(EvenQuantiles(ratios, CalibrationTable::kLevels));
  EXPECT_EQ(table.Ratio(0, 0.9f, 0.9f), 1);
  EXPECT_NEAR(table.Ratio(0, 1, 0.9f), std::exp2(0.5f), 1e-4);
  EXPECT_NEAR(table.Ratio(0, 1.5f, 0.9f), std::exp2(3.0f), 1e-4);
  EXPECT_GT(table.Ratio(0, 3, 0.9f), 1000) << "but it is reached";
}

// The interval of a sensor that seldom moves by its resolution holds its share without any width: no reason
// to move a median that is what was read.
TEST(CalibrationTest, TheMedianOfACoarseSensorStays) {
  ModelSpec spec = TinySpec();
  spec.features[0].resolution = 1;
  const auto model = TinyModel(spec);
  for (const unsigned seldom : {5, 8, 10, 20, 100}) {
    StreamHeader header;
    std::vector<float> floats(StreamFloats(*model)), forecast(spec.horizon * 3);
    const StreamRef stream(*model, header, floats);
    StartStream(*model, stream);
    std::mt19937 random(1);
    float value = 20;
    double moved = 0, most = 0;
    constexpr std::uint32_t kReadings = 8000;
    for (std::uint32_t t = 0; t < kReadings; ++t) {
      const bool stuck = t >= 3000 && t < 5000;
      if (!stuck && random() % seldom == 0) value += random() % 2 == 0 ? 1 : -1;
      ScoreReading(*model, t, value, stream.kept, stream.rings, {});
      for (std::size_t i = 0; i < forecast.size(); ++i)
        forecast[i] = value + 0.2f * (static_cast<float>(i % 3) - 1);
      CalibrateForecast(*model, stream.kept, forecast);
      moved += std::abs(forecast[1] - value);
      most = std::max<double>(most, std::abs(forecast[1] - value));
      RememberForecast(*model, t, forecast, stream.rings);
    }
    // Where no width at all covers too much it may be moved by half a resolution, to cover less.
    if (seldom == 5) {
      EXPECT_LT(moved / kReadings, 0.05);
    }
    EXPECT_LT(most, 0.55) << seldom;
  }
}

TEST(CalibrationTest, LevelsStayInOrder) {
  ModelSpec spec = TinySpec();
  spec.quantiles = {0.05f, 0.25f, 0.5f, 0.75f, 0.95f};
  const auto model = TinyModel(spec);
  ReplayedStream stream(model);
  const std::vector<float> series = DriftingSeries(5, 1500, 0.1f);
  for (std::size_t t = 0; t < series.size(); ++t) {
    const std::vector<float> values = {series[t], 50};
    const auto time = static_cast<std::int64_t>(t + 1) * kSecond;
    const auto forecast = stream.Push({time, values}, time).forecast;
    for (std::size_t h = 0; h < spec.horizon; ++h)
      ASSERT_TRUE(std::is_sorted(forecast.begin() + 5 * h, forecast.begin() + 5 * (h + 1)))
          << "reading " << t;
  }
}

// With each stream's own scale, a sensor with another range and unit is forecast as the first in its unit.
TEST(PerStreamTest, ForecastsFollowTheSensorsUnit) {
  ModelSpec spec = TinySpec();
  spec.per_stream = true;
  const auto model = TinyModel(spec);
  ReplayedStream celsius(model), other(model);
  const std::vector<float> series = DriftingSeries(8, 400, 0);
  for (std::size_t t = 0; t < series.size(); ++t) {
    const std::vector<float> here = {series[t], 50}, there = {series[t] * 64 - 1024, 50 * 4};
    const auto time = static_cast<std::int64_t>(t + 1) * kSecond;
    const auto a = celsius.Push({time, here}, time).forecast, b = other.Push({time, there}, time).forecast;
    for (std::size_t i = 0; i < a.size(); ++i) ASSERT_NEAR(b[i], a[i] * 64 - 1024, 0.5) << "reading " << t;
  }
}

// A sensor's glitch does not make all that follows small, and one that wakes up has its scale soon.
TEST(PerStreamTest, AGlitchLeavesTheScale) {
  ModelSpec spec = TinySpec();
  spec.per_stream = true;
  spec.features[0].resolution = 0.01f;
  const std::vector<float> series = DriftingSeries(8, 4000, 0);
  const auto scale_after = [&](std::size_t still, float glitch, std::size_t readings) {
    std::vector<float> previous(2, std::nanf("")), moments(8), inputs(spec.inputs());
    for (std::size_t t = 0; t < readings; ++t) {
      const std::vector<float> values = {t < still ? series[still] : t == 2000 ? glitch : series[t], 50};
      ScaleInputs(spec, {}, 0, values, previous, moments.data(), inputs);
    }
    return OutputScale(spec, previous.data(), moments.data());
  };
  const float usual = scale_after(0, series[2000], 2010);
  EXPECT_LT(scale_after(0, -9999, 2010), 6 * usual);
  EXPECT_LT(scale_after(0, 1e20f, 2010), 6 * usual);
  EXPECT_GT(scale_after(1500, series[2000], 1600), usual / 8);
}

}  // namespace
}  // namespace tidegate
