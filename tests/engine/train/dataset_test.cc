#include "engine/train/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>
#include <utility>

namespace tidegate {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

ModelSpec Spec(std::size_t horizon, std::size_t features = 1) {
  ModelSpec spec;
  spec.name = "m";
  spec.interval_ns = 1;
  spec.features.resize(features);
  for (std::size_t f = 0; f < features; ++f)
    spec.features[f].name = std::string(1, static_cast<char>('a' + f));
  spec.layers = {{.units = 1}};
  spec.horizon = horizon;
  spec.quantiles = {0.5f};
  spec.step_deviation.assign(horizon, 1);
  return spec;
}

Series OneFeature(std::vector<float> values) {
  const std::size_t n = values.size();
  return {.stream = "s", .features = 1, .values = std::move(values), .scored = std::vector<bool>(n, true)};
}

// NaN equal to NaN.
testing::Matcher<float> Is(float value) { return testing::NanSensitiveFloatEq(value); }

TEST(PrepareSeriesTest, TakesScalesFromTheTrainingRows) {
  ModelSpec spec = Spec(2);
  // 6 training rows, 3 for validation (horizon + 1).
  const auto data = PrepareSeries({OneFeature({1, 2, 4, 4, 2, 5, 100, 200, 300})}, 0.1, spec);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ((*data)[0].split, 6u);
  EXPECT_FLOAT_EQ(spec.features[0].mean, 3);                                // of 1 2 4 4 2 5
  EXPECT_FLOAT_EQ(spec.features[0].deviation, std::sqrt(12.0f / 6));        // 4 1 1 1 1 4
  EXPECT_FLOAT_EQ(spec.features[0].difference_deviation, std::sqrt(3.6f));  // 1 2 0 -2 3
  EXPECT_FLOAT_EQ(spec.step_deviation[0], std::sqrt(3.6f));
  EXPECT_FLOAT_EQ(spec.step_deviation[1], std::sqrt((9.0f + 4 + 4 + 1) / 4));  // 3 2 -2 1
}

TEST(PrepareSeriesTest, TargetsAreRelativeToTheLastKnownValueAndEndAtTheSplit) {
  ModelSpec spec = Spec(2);
  const auto data = PrepareSeries({OneFeature({1, 2, kNaN, 4, 2, 5, 10, 20, 40})}, 0.1, spec);
  ASSERT_TRUE(data.ok()) << data.status();
  const float one = spec.step_deviation[0], two = spec.step_deviation[1];
  EXPECT_THAT((*data)[0].targets.values,
              testing::ElementsAre(Is(1 / one), Is(kNaN),      // 1 -> 2, missing
                                   Is(kNaN), Is(2 / two),      // 2 -> missing, 4
                                   Is(2 / one), Is(0),         // missing, so from 2 -> 4, 2
                                   Is(-2 / one), Is(1 / two),  // 4 -> 2, 5
                                   Is(3 / one), Is(kNaN),      // 2 -> 5, then validation
                                   Is(kNaN), Is(kNaN),         //
                                   Is(10 / one), Is(30 / two), Is(20 / one), Is(kNaN), Is(kNaN), Is(kNaN)));
}

TEST(PrepareSeriesTest, LeavesOutRowsThatAreNotScored) {
  ModelSpec spec = Spec(1);
  Series series = OneFeature({1, 2, 90, 3, 4, 5, 7, 6, 7});
  series.scored[2] = false;
  const auto data = PrepareSeries({series}, 0.1, spec);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_FLOAT_EQ(spec.features[0].mean, 22.0f / 6);
  EXPECT_FLOAT_EQ(spec.features[0].difference_deviation, std::sqrt(7.0f / 4));  // 1 | 1 1 2
  const Matrix& targets = (*data)[0].targets;
  EXPECT_TRUE(std::isnan(targets.row(1)[0]));   // ends in it
  EXPECT_TRUE(std::isnan(targets.row(2)[0]));   // begins in it
  EXPECT_FALSE(std::isnan(targets.row(3)[0]));  //
}

TEST(PrepareSeriesTest, ScalesInputsAsServingDoes) {
  ModelSpec spec = Spec(1, 2);
  spec.level_inputs = true;
  const Series series{.stream = "s",
                      .features = 2,
                      .values = {1, kNaN, 3, 10, kNaN, 12, 2, 12, 5, 11, 4, 10, 4, 13},
                      .scored = std::vector<bool>(7, true)};
  const auto data = PrepareSeries({series}, 0.1, spec);
  ASSERT_TRUE(data.ok()) << data.status();
  const Feature a = spec.features[0], b = spec.features[1];
  const Matrix& inputs = (*data)[0].inputs;
  EXPECT_EQ(inputs.cols, 4u);
  const auto row = [&](std::size_t r) { return std::vector<float>(inputs.row(r), inputs.row(r) + 4); };
  EXPECT_THAT(row(0), testing::ElementsAre(Is((1 - a.mean) / a.deviation), 0, 0, 0));
  EXPECT_THAT(row(1), testing::ElementsAre(Is((3 - a.mean) / a.deviation), Is((10 - b.mean) / b.deviation),
                                           Is(2 / a.difference_deviation), 0));
  EXPECT_THAT(row(2), testing::ElementsAre(Is((3 - a.mean) / a.deviation), Is((12 - b.mean) / b.deviation), 0,
                                           Is(2 / b.difference_deviation)));
}

TEST(PrepareSeriesTest, AConstantFeatureThatIsNotTheTargetKeepsAScaleOfOne) {
  ModelSpec spec = Spec(1, 2);
  const Series series{.stream = "s",
                      .features = 2,
                      .values = {1, 7, 3, 7, 2, 7, 5, 7, 4, 7},
                      .scored = std::vector<bool>(5, true)};
  ASSERT_TRUE(PrepareSeries({series}, 0.1, spec).ok());
  EXPECT_EQ(spec.features[1].mean, 7);
  EXPECT_EQ(spec.features[1].deviation, 1);
  EXPECT_EQ(spec.features[1].difference_deviation, 1);
}

std::vector<PreparedSeries> Data(const std::vector<std::size_t>& rows) {
  ModelSpec spec = Spec(1);
  std::vector<Series> series;
  for (const std::size_t n : rows) {
    std::vector<float> values;
    for (std::size_t i = 0; i < n; ++i) values.push_back(static_cast<float>(i * i));
    series.push_back(OneFeature(values));
  }
  auto data = PrepareSeries(series, 0.1, spec);
  EXPECT_TRUE(data.ok()) << data.status();
  return *std::move(data);
}

TEST(DrawSequencesTest, StayWithinTheTrainingRowsAndDifferBetweenEpochs) {
  const auto data = Data({1000, 40});  // 900 and 36 training rows
  Random random(5);
  std::set<std::size_t> first_rows;
  for (int epoch = 0; epoch < 20; ++epoch) {
    std::size_t from_short = 0;
    for (const Sequence& sequence : DrawSequences(data, 100, 10, random)) {
      EXPECT_EQ(sequence.end - sequence.begin, sequence.series == 0 ? 100u : 36u);
      EXPECT_EQ(sequence.scored, sequence.begin + 10);
      EXPECT_LE(sequence.end, data[sequence.series].split);
      from_short += sequence.series;
      if (sequence.series == 0) first_rows.insert(sequence.begin);
    }
    EXPECT_EQ(from_short, 1u);
  }
  EXPECT_GT(first_rows.size(), 200u);
}

TEST(FillChunkTest, IsTimeMajorAndPadsWhatHasEnded) {
  const auto data = Data({30, 40});
  const std::vector<Sequence> sequences = {{.series = 0, .begin = 2, .scored = 4, .end = 7},
                                           {.series = 1, .begin = 0, .scored = 0, .end = 20}};
  Chunk chunk;
  FillChunk(data, sequences, 1, 6, chunk);
  ASSERT_EQ(chunk.inputs.rows, 12u);
  std::size_t known = 0;
  for (std::size_t t = 0; t < 6; ++t) {
    const std::size_t row = 2 + 1 + t;
    EXPECT_EQ(chunk.inputs.row(2 * t)[0], row < 7 ? data[0].inputs.row(row)[0] : 0) << t;
    EXPECT_THAT(chunk.targets.row(2 * t)[0], Is(row >= 4 && row < 7 ? data[0].targets.row(row)[0] : kNaN))
        << t;
    EXPECT_EQ(chunk.inputs.row(2 * t + 1)[0], data[1].inputs.row(1 + t)[0]) << t;
    EXPECT_EQ(chunk.targets.row(2 * t + 1)[0], data[1].targets.row(1 + t)[0]) << t;
    known += row >= 4 && row < 7 ? 2 : 1;
  }
  EXPECT_EQ(chunk.known, known);
}

}  // namespace
}  // namespace tidegate
