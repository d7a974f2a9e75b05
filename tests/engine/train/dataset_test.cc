#include "engine/train/dataset.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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

absl::StatusOr<std::vector<PreparedSeries>> Prepare(const std::vector<Series>& series, double fraction,
                                                    ModelSpec& spec) {
  const auto splits = FitScales(series, fraction, spec);
  if (!splits.ok()) return splits.status();
  return PrepareSeries(series, *splits, {}, spec);
}

// [n, horizon] as a chunk has them.
std::vector<float> Targets(const PreparedSeries& series, const ModelSpec& spec) {
  std::vector<float> targets;
  for (std::size_t t = 0; t < series.size(); ++t) {
    for (std::size_t h = 0; h < spec.horizon; ++h)
      targets.push_back(series.Ahead(t, h + 1) / spec.step_deviation[h]);
  }
  return targets;
}

// NaN equal to NaN.
testing::Matcher<float> Is(float value) { return testing::NanSensitiveFloatEq(value); }

TEST(PrepareSeriesTest, TakesScalesFromTheTrainingRows) {
  ModelSpec spec = Spec(2);
  // 6 training rows, 3 for validation (horizon + 1).
  const auto data = Prepare({OneFeature({1, 2, 4, 4, 2, 5, 100, 200, 300})}, 0.1, spec);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_EQ((*data)[0].split, 6u);
  EXPECT_FLOAT_EQ(spec.features[0].mean, 3);                                // of 1 2 4 4 2 5
  EXPECT_FLOAT_EQ(spec.features[0].deviation, std::sqrt(12.0f / 6));        // 4 1 1 1 1 4
  EXPECT_FLOAT_EQ(spec.features[0].difference_deviation, std::sqrt(3.6f));  // 1 2 0 -2 3
  EXPECT_FLOAT_EQ(spec.step_deviation[0], std::sqrt(3.6f));
  EXPECT_FLOAT_EQ(spec.step_deviation[1], std::sqrt((9.0f + 4 + 4 + 1) / 4));  // 3 2 -2 1
}

// At its first reading a stream's own scale is a quarter of what the sensor tells apart: no measure of
// anything.
TEST(PrepareSeriesTest, AStreamsOwnScaleMeansNothingBeforeItHasVaried) {
  ModelSpec spec = Spec(1);
  spec.per_stream = true;
  std::vector<float> values(400);
  for (std::size_t t = 0; t < values.size(); ++t) values[t] = std::sin(static_cast<float>(t) / 8);
  values[7] = values[8] + 1e-6f;  // it tells apart a millionth
  ASSERT_TRUE(Prepare({OneFeature(values)}, 0.1, spec).ok());
  EXPECT_NEAR(spec.step_deviation[0], spec.features[0].difference_deviation,
              0.5f * spec.features[0].difference_deviation);
}

TEST(PrepareSeriesTest, AStreamThatStandsStillAtFirstIsLearntFromWhereItMoves) {
  std::vector<float> moving(400), still_first(500), quiet(500);
  for (std::size_t t = 0; t < moving.size(); ++t) moving[t] = std::sin(static_cast<float>(t) / 8);
  moving[7] = moving[8] + 1e-6f;
  std::ranges::copy(moving, still_first.begin() + 100);
  for (std::size_t t = 1; t < quiet.size(); ++t)  // moves now and then
    quiet[t] = quiet[t - 1] + (t % 100 == 0 ? 1.0f : 0.0f);
  const auto prepare = [](std::vector<float> values, ModelSpec& spec) {
    spec.per_stream = true;
    // Of a piece that never moves, too, there is nothing to learn.
    std::vector<Series> series = {OneFeature(std::move(values)), OneFeature(std::vector<float>(100))};
    auto data = Prepare(series, 0.1, spec);
    EXPECT_TRUE(data.ok()) << data.status();
    return *std::move(data);
  };
  ModelSpec spec = Spec(1), moves = Spec(1), seldom = Spec(1);
  prepare(moving, moves);
  const auto data = prepare(still_first, spec);
  // The still rows count in its scale for a while; without leaving them out this is thousands.
  EXPECT_LT(spec.step_deviation[0] / spec.features[0].difference_deviation,
            3 * moves.step_deviation[0] / moves.features[0].difference_deviation);
  EXPECT_TRUE(std::isnan(data[0].Ahead(50, 1)));
  EXPECT_FALSE(std::isnan(data[0].Ahead(200, 1)));
  EXPECT_FALSE(std::isnan(prepare(quiet, seldom)[0].Ahead(50, 1))) << "its scale is its resolution's";
}

TEST(PrepareSeriesTest, TargetsAreRelativeToTheLastKnownValueAndEndAtTheSplit) {
  ModelSpec spec = Spec(2);
  const auto data = Prepare({OneFeature({1, 2, kNaN, 4, 2, 5, 10, 20, 40})}, 0.1, spec);
  ASSERT_TRUE(data.ok()) << data.status();
  const float one = spec.step_deviation[0], two = spec.step_deviation[1];
  EXPECT_THAT(Targets((*data)[0], spec),
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
  const auto data = Prepare({series}, 0.1, spec);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_FLOAT_EQ(spec.features[0].mean, 22.0f / 6);
  EXPECT_FLOAT_EQ(spec.features[0].difference_deviation, std::sqrt(7.0f / 4));  // 1 | 1 1 2
  const PreparedSeries& prepared = (*data)[0];
  EXPECT_TRUE(std::isnan(prepared.Ahead(1, 1)));   // ends in it
  EXPECT_TRUE(std::isnan(prepared.Ahead(2, 1)));   // begins in it
  EXPECT_FALSE(std::isnan(prepared.Ahead(3, 1)));  //
}

TEST(PrepareSeriesTest, ScalesInputsAsServingDoes) {
  ModelSpec spec = Spec(1, 2);
  spec.level_inputs = true;
  const Series series{.stream = "s",
                      .features = 2,
                      .values = {1, kNaN, 3, 10, kNaN, 12, 2, 12, 5, 11, 4, 10, 4, 13},
                      .scored = std::vector<bool>(7, true)};
  const auto data = Prepare({series}, 0.1, spec);
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
  ASSERT_TRUE(Prepare({series}, 0.1, spec).ok());
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
  auto data = Prepare(series, 0.1, spec);
  EXPECT_TRUE(data.ok()) << data.status();
  return *std::move(data);
}

TEST(DrawSequencesTest, StayWithinTheTrainingRowsAndDifferBetweenEpochs) {
  const auto data = Data({1000, 40});  // 900 and 36 training rows
  Random random(5);
  std::set<std::size_t> first_rows;
  for (int epoch = 0; epoch < 20; ++epoch) {
    std::size_t from_short = 0;
    for (const Sequence& sequence : DrawSequences(data, 100, 25, 10, random)) {
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
  const std::vector<float> deviation = {2};
  FillChunk(data, sequences, deviation, 1, 6, 1, chunk);
  ASSERT_EQ(chunk.inputs.rows, 12u);
  std::size_t known = 0;
  for (std::size_t t = 0; t < 6; ++t) {
    const std::size_t row = 2 + 1 + t;
    EXPECT_EQ(chunk.inputs.row(2 * t)[0], data[0].inputs.row(std::min<std::size_t>(row, 6))[0]) << t;
    EXPECT_THAT(chunk.targets.row(2 * t)[0], Is(row >= 4 && row < 7 ? data[0].Ahead(row, 1) / 2 : kNaN)) << t;
    EXPECT_EQ(chunk.inputs.row(2 * t + 1)[0], data[1].inputs.row(1 + t)[0]) << t;
    EXPECT_EQ(chunk.targets.row(2 * t + 1)[0], data[1].Ahead(1 + t, 1) / 2) << t;
    known += row >= 4 && row < 7 ? 2 : 1;
  }
  EXPECT_EQ(chunk.known, known);
}

TEST(FillChunkTest, OfHopsHasTargetsAtTheirLastReadings) {
  const auto data = Data({60});
  const std::vector<Sequence> sequences = {{.series = 0, .begin = 3, .scored = 8, .end = 40},
                                           {.series = 0, .begin = 10, .scored = 10, .end = 40}};
  Chunk chunk;
  const std::vector<float> deviation = {1};
  FillChunk(data, sequences, deviation, 4, 8, 4, chunk);
  ASSERT_EQ(chunk.inputs.rows, 16u);
  ASSERT_EQ(chunk.targets.rows, 4u);
  EXPECT_EQ(chunk.origins[0].row, 3u + 4 + 3);
  EXPECT_EQ(chunk.origins[3].row, 10u + 4 + 7);
  EXPECT_EQ(chunk.targets.row(2)[0], data[0].Ahead(14, 1));
}

TEST(FillChunkTest, OfAWindowHasTheTargetsOfItsLastReading) {
  const auto data = Data({60});
  const std::size_t split = data[0].split;
  const std::vector<Sequence> windows = ValidationWindows(data, 12, 1'000);
  ASSERT_EQ(windows.size(), 60 - split);
  EXPECT_EQ(ValidationWindows(data, 12, 3).size(), 3u);
  Chunk chunk;
  FillChunk(data, windows, std::vector<float>{1}, 0, 12, 12, chunk);
  ASSERT_EQ(chunk.targets.rows, windows.size());
  EXPECT_EQ(chunk.origins[2].row, split + 2);
  EXPECT_EQ(chunk.inputs.row(0)[0], data[0].inputs.row(split - 11)[0]);
  EXPECT_EQ(chunk.targets.row(2)[0], data[0].Ahead(split + 2, 1));
  Random random(1);
  for (const Sequence& window : DrawWindows(data, 12, 4, random)) {
    EXPECT_EQ(window.begin + 12, window.end);
    EXPECT_LE(window.end, split);
  }
}

TEST(FillChunkTest, AmplifiesLevelsAndTargets) {
  const auto data = Data({60});
  const std::vector<Sequence> sequences = {{.series = 0, .begin = 3, .scored = 3, .end = 40, .scale = 2}};
  Chunk plain, chunk;
  FillChunk(data, sequences, std::vector<float>{1}, 0, 4, 1, plain);
  FillChunk(data, sequences, std::vector<float>{1}, 0, 4, 1, chunk);
  Amplify(sequences, 1, chunk);
  EXPECT_EQ(chunk.inputs.row(2)[0], 2 * plain.inputs.row(2)[0]);
  EXPECT_EQ(chunk.targets.row(2)[0], 2 * plain.targets.row(2)[0]);
  for (std::size_t i = 1; i < plain.inputs.cols; ++i)
    EXPECT_EQ(chunk.inputs.row(2)[i], plain.inputs.row(2)[i]);
}

TEST(FitScalesTest, AWindowThatNoStreamHasReadingsForIsAnError) {
  ModelSpec spec = Spec(1, 1);
  Series one = {.stream = "s", .features = 1, .values = {}, .scored = std::vector<bool>(40, true)};
  for (int i = 0; i < 40; ++i) one.values.push_back(static_cast<float>(i * i % 7));
  spec.window = 29;
  EXPECT_TRUE(FitScales({one}, 0.25, spec).ok());
  spec.window = 30;  // as many as are learnt from
  EXPECT_THAT(FitScales({one}, 0.25, spec).status().message(),
              testing::HasSubstr("the window is 30 readings"));
}

TEST(FitScalesTest, DifferencesAreThoseBetweenKnownReadings) {
  ModelSpec spec = Spec(1, 1);
  Series every = {.stream = "s", .features = 1, .values = {}, .scored = std::vector<bool>(40, true)};
  for (int i = 0; i < 40; ++i) every.values.push_back(100 * static_cast<float>(i * i % 7));
  ASSERT_TRUE(FitScales({every}, 0.25, spec).ok());
  const double deviation = spec.features[0].difference_deviation;
  Series second = every;  // a sensor that reports at every other tick
  second.values.clear();
  second.scored.assign(80, true);
  for (const float value : every.values) second.values.insert(second.values.end(), {value, kNaN});
  ASSERT_TRUE(FitScales({second}, 0.25, spec).ok());
  EXPECT_NEAR(spec.features[0].difference_deviation, deviation, 1e-3 * deviation);
}

// A prepared series of so many rows without values.
PreparedSeries Bare(std::size_t rows, std::size_t split) {
  PreparedSeries series;
  series.inputs.Resize(rows, 1);
  series.values.resize(rows);
  series.split = split;
  return series;
}

TEST(DrawWindowsTest, EveryEpochHasSomeHoweverFewAreAskedFor) {
  Random random(1);
  for (int epoch = 0; epoch < 50; ++epoch) {
    const std::vector<Sequence> windows = DrawWindows({Bare(300, 255)}, 252, 100, random);
    ASSERT_EQ(windows.size(), 1u);
    ASSERT_LT(windows[0].end, 255u);
    ASSERT_EQ(windows[0].end - windows[0].begin, 252u);
  }
}

TEST(ValidationSequencesTest, HaveTheWholePastOfASeriesThatIsNotLong) {
  const std::vector<Sequence> sequences = ValidationSequences({Bare(1000, 800), Bare(300, 200)}, 1, 50);
  ASSERT_EQ(sequences.size(), 2u);
  EXPECT_EQ(sequences[0].begin, 0u);
  EXPECT_EQ(sequences[0].scored, 800u);
  EXPECT_EQ(sequences[0].end, 1000u);
}

TEST(ValidationSequencesTest, OfALongSeriesAreSpreadPartsWithARunInEach) {
  constexpr std::size_t kRows = 1'000'000, kSplit = 200'000;
  for (const std::size_t phases : {1u, 4u}) {
    const std::vector<Sequence> sequences = ValidationSequences({Bare(kRows, kSplit)}, phases, 1000);
    ASSERT_EQ(sequences.size(), 64 * phases);
    for (std::size_t i = 0; i < sequences.size(); ++i) {
      EXPECT_EQ(sequences[i].scored - sequences[i].begin, 1000 - i % phases);
      EXPECT_LE(sequences[i].end - sequences[i].scored, 8192u);
      if (i >= phases) {
        EXPECT_GE(sequences[i].scored, sequences[i - phases].end);
      }
    }
    EXPECT_EQ(sequences.front().scored, kSplit);
    EXPECT_GT(sequences.back().end, kRows - 20'000);
  }
  EXPECT_EQ(ValidationSequences({Bare(20'000, 10'000)}, 1, 1000)[0].begin, 9'000u);
  // Of many long ones one part each, not all of the same time.
  std::set<std::size_t> begins;
  for (const Sequence& one : ValidationSequences(std::vector(100, Bare(100'000, 10'000)), 1, 1000))
    begins.insert(one.scored);
  EXPECT_GT(begins.size(), 15u);
}

TEST(ValidationWindowsTest, AreOfEvenAndOddRows) {
  std::size_t odd = 0;
  const std::vector<Sequence> windows = ValidationWindows({Bare(1000, 100)}, 8, 450);
  for (const Sequence& window : windows) odd += window.end % 2;
  EXPECT_EQ(windows.size(), 450u);
  EXPECT_NEAR(static_cast<double>(odd), 225, 25);
}

TEST(FitScalesTest, OfChannelsAreTheirOwn) {
  ModelSpec spec = Spec(1, 2);
  spec.head = HeadKind::kParallel;
  spec.segment = 1;
  spec.level_inputs = true;
  spec.channels = 2;
  spec.difference_inputs = false;
  spec.channel_scales = {{.name = "low"}, {.name = "high"}};
  const auto series = [](float channel, float scale) {
    Series one = {.stream = "s", .features = 2, .values = {}, .scored = std::vector<bool>(12, true)};
    for (int i = 0; i < 12; ++i) {
      one.values.push_back(scale * static_cast<float>(10 + i * i % 5));
      one.values.push_back(channel);
    }
    return one;
  };
  const auto data = Prepare({series(0, 1), series(1, 100)}, 0.25, spec);
  ASSERT_TRUE(data.ok()) << data.status();
  EXPECT_NEAR(spec.channel_scales[1].deviation, 100 * spec.channel_scales[0].deviation, 1e-3);
  EXPECT_EQ(spec.features[0].deviation, 1);
  for (std::size_t t = 0; t < 12; ++t) {
    EXPECT_NEAR((*data)[0].inputs.row(t)[0], (*data)[1].inputs.row(t)[0], 1e-5);
    EXPECT_EQ((*data)[1].inputs.row(t)[1], 1);
  }
  EXPECT_NEAR((*data)[0].Ahead(3, 1), (*data)[1].Ahead(3, 1), 1e-5);
}

}  // namespace
}  // namespace tidegate
