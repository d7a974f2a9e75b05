#include "engine/train/trainer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <functional>
#include <limits>
#include <numbers>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/model/model.h"
#include "engine/model/model_file.h"
#include "engine/model/safetensors.h"
#include "engine/stream/stream.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

// A noisy sine of about 25 readings, and a second feature that tells nothing.
Series Sine(const std::string& stream, std::size_t rows, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> noise(0, 0.1f);
  Series series{.stream = stream, .features = 2, .values = {}, .scored = std::vector<bool>(rows, true)};
  const double phase = seed;
  for (std::size_t t = 0; t < rows; ++t) {
    series.values.push_back(20 + static_cast<float>(std::sin(phase + 0.25 * static_cast<double>(t))) +
                            noise(random));
    series.values.push_back(noise(random));
  }
  return series;
}

// Small and quick.
TrainOptions Options() {
  TrainOptions options;
  options.name = "sine";
  options.interval_ns = 1'000'000'000;
  options.features = {"height", "noise"};
  options.layers = {{.units = 12}};
  options.horizon = 6;
  options.warm_up = 24;
  options.sequence_length = 128;
  options.truncation = 64;
  options.epochs = 30;
  options.batch = 4;
  options.learning_rate = 1e-2;
  options.seed = 3;
  return options;
}

std::vector<Series> Sines() { return {Sine("a", 700, 1), Sine("b", 500, 2)}; }

// Mean absolute error over the validation rows, forecast as serving does it, and that of persistence.
std::pair<double, double> ServedErrors(const Model& model, const Series& series, std::size_t split) {
  const ModelSpec& spec = model.spec();
  const std::size_t features = series.features, levels = spec.quantiles.size();
  StreamHeader header;
  std::vector<float> floats(StreamFloats(model)), inputs(spec.inputs()), outputs(spec.outputs());
  const StreamRef stream(model, header, floats);
  StartStream(model, stream);
  Model::Workspace workspace;
  double error = 0, persistence = 0, count = 0;
  float last = kNaN;
  for (std::size_t t = 0; t < series.size(); ++t) {
    const std::span<const float> values(&series.values[t * features], features);
    const auto time = static_cast<std::int64_t>(t) * spec.interval_ns;
    Prepare(model, stream, time, values, inputs);
    float* state = floats.data();
    model.Step(inputs, {&state, 1}, outputs, workspace);
    Unscale(model, stream.kept, time, outputs);
    if (!std::isnan(values[spec.target])) last = values[spec.target];
    for (std::size_t k = 1; t >= split && k <= spec.horizon && t + k < series.size(); ++k) {
      const float target = series.values[(t + k) * features + spec.target];
      if (std::isnan(target)) continue;
      error += std::abs(target - outputs[(k - 1) * levels + levels / 2]);
      persistence += std::abs(target - last);
      ++count;
    }
  }
  return {error / count, persistence / count};
}

class TrainLayersTest : public testing::TestWithParam<std::vector<LayerSpec>> {};

TEST_P(TrainLayersTest, BeatsPersistenceOnANoisySine) {
  TrainOptions options = Options();
  options.layers = GetParam();
  options.interleaved = GetParam()[0].stride > 1;
  const auto trained = Train(Sines(), options, nullptr);
  ASSERT_TRUE(trained.ok()) << trained.status();
  const ValidationScore& score = trained->spec.validation;
  EXPECT_LT(score.mae, 0.35 * score.persistence_mae);  // the noise alone is 0.08
  EXPECT_LT(score.pinball, 0.5 * score.mae);
  EXPECT_NEAR(score.coverage, 0.8, 0.15);
  EXPECT_EQ(score.origins, 104u + 74u);  // 105 and 75 rows, the last of each without a target
}

INSTANTIATE_TEST_SUITE_P(
    Kinds, TrainLayersTest,
    testing::Values(std::vector<LayerSpec>{{.units = 12}},
                    std::vector<LayerSpec>{{.kind = LayerKind::kLstm, .units = 12}},
                    std::vector<LayerSpec>{
                        {.kind = LayerKind::kConv1d, .units = 8, .kernel = 5, .relu = true},
                        {.units = 12, .dropout = 0.1f}},
                    std::vector<LayerSpec>{{.kind = LayerKind::kConv1d, .units = 8, .kernel = 4, .stride = 4},
                                           {.kind = LayerKind::kGluGru, .units = 12}}));

TEST(TrainedModelTest, ServesWhatWasValidatedAlsoWithMissingValues) {
  std::vector<Series> series = {Sine("a", 700, 1)};
  for (std::size_t t = 0; t < series[0].size(); ++t) {
    if (t < 3 || t % 17 < 2) series[0].values[2 * t] = kNaN;
    if (t % 5 == 0) series[0].values[2 * t + 1] = kNaN;
  }
  TrainOptions options = Options();
  options.level_inputs = true;
  options.layers = {{.units = 8}, {.kind = LayerKind::kLstm, .units = 8}};
  const auto trained = Train(series, options, nullptr);
  ASSERT_TRUE(trained.ok()) << trained.status();
  const auto model = Model::Create(trained->spec, trained->tensors);
  ASSERT_TRUE(model.ok()) << model.status();
  const auto [mae, persistence] = ServedErrors(**model, series[0], 700 - 105);
  EXPECT_NEAR(mae, trained->spec.validation.mae, 1e-4);
  EXPECT_NEAR(persistence, trained->spec.validation.persistence_mae, 1e-4);
  EXPECT_LT(mae, 0.5 * persistence);
}

TEST(TrainedModelTest, CarriesSpecResidualsAndGoldenPair) {
  TrainOptions options = Options();
  options.epochs = 1;
  options.trained_on = "sines";
  const auto trained = Train(Sines(), options, nullptr);
  ASSERT_TRUE(trained.ok()) << trained.status();
  const ModelSpec& spec = trained->spec;
  EXPECT_TRUE(CheckSpec(spec).ok()) << CheckSpec(spec);
  EXPECT_EQ(spec.name, "sine");
  EXPECT_EQ(spec.trained_on, "sines");
  EXPECT_EQ(spec.features[1].name, "noise");
  EXPECT_EQ(spec.warm_up, 24u);
  const auto model = Model::Create(spec, trained->tensors);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->residuals().count(), 104u + 74u);
  const Tensor& values = trained->tensors.at("golden.values");
  EXPECT_THAT(values.shape, testing::ElementsAre(64, 2));
  EXPECT_EQ(ForecastAfter(**model, values.values), trained->tensors.at("golden.forecast").values);
}

// The validation part has one forecast of the last step and some of the first: nothing to calibrate the last
// by.
TEST(TrainedModelTest, AStepWithHardlyAnyForecastsIsAsWideAsTheNetworkSays) {
  TrainOptions options = Options();
  options.epochs = 1;
  options.horizon = 40;
  options.validation_fraction = 0.01;
  const auto trained = Train({Sine("a", 700, 1)}, options, nullptr);
  ASSERT_TRUE(trained.ok()) << trained.status();
  const CalibrationTable table(trained->tensors.at("calibration.ratios").values);
  const std::size_t last_low = 2, last_high = 3;  // of rows: two levels of the first step, two of the last
  EXPECT_NE(table.Ratio(0, 0.9f, 0.9f), 1);
  for (const std::size_t row : {last_low, last_high}) {
    EXPECT_NEAR(table.Ratio(row, 0.9f, 0.9f), 1, 1e-5);
    EXPECT_LT(table.Ratio(row, 0.3f, 0.9f), 0);  // the other side of the median
  }
}

TEST(TrainedModelTest, ReplaysItsGoldenPairWhenReadFromDisk) {
  TrainOptions options = Options();
  options.epochs = 2;
  const auto trained = Train(Sines(), options, nullptr);
  ASSERT_TRUE(trained.ok()) << trained.status();
  const auto folder = std::filesystem::path(testing::TempDir()) / "tidegate_trainer_test_model";
  const absl::Status written = WriteModel(folder, trained->spec, trained->tensors);
  ASSERT_TRUE(written.ok()) << written;
  const auto model = ReadModel(folder);
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(model.ok()) << model.status();
  EXPECT_EQ((*model)->spec().validation.mae, trained->spec.validation.mae);
}

TEST(TrainedModelTest, GoldenValuesAreFiniteWhateverIsMissing) {
  std::vector<Series> series = Sines();
  for (std::size_t t = 530; t < 600; ++t) series[0].values[2 * t + 1] = kNaN;
  TrainOptions options = Options();
  options.epochs = 1;
  const auto trained = Train(series, options, nullptr);
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_THAT(trained->tensors.at("golden.values").values,
              testing::Each(testing::Truly([](float v) { return std::isfinite(v); })));
}

TEST(TrainTest, TheSameSeedGivesTheSameBitsAndAnotherDoesNot) {
  TrainOptions options = Options();
  options.epochs = 2;
  const auto first = Train(Sines(), options, nullptr);
  const auto second = Train(Sines(), options, nullptr);
  options.seed = 4;
  const auto other = Train(Sines(), options, nullptr);
  ASSERT_TRUE(first.ok() && second.ok() && other.ok());
  EXPECT_EQ(WriteSafetensors(first->tensors), WriteSafetensors(second->tensors));
  EXPECT_EQ(WriteSpec(first->spec), WriteSpec(second->spec));
  EXPECT_NE(WriteSafetensors(first->tensors), WriteSafetensors(other->tensors));
}

TEST(TrainTest, RowsThatAreNotScoredDoNotTouchTheScales) {
  std::vector<Series> series = Sines();
  for (std::size_t t = 100; t < 140; ++t) {
    series[0].values[2 * t] = 1000;
    series[0].scored[t] = false;
  }
  TrainOptions options = Options();
  options.epochs = 1;
  const auto trained = Train(series, options, nullptr);
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_NEAR(trained->spec.features[0].mean, 20, 0.1);
  EXPECT_LT(trained->spec.step_deviation[5], 2);
}

TEST(TrainTest, ReportsEveryEpochAndStopsWhenAsked) {
  std::vector<TrainProgress> seen;
  const auto trained = Train(Sines(), Options(), [&](const TrainProgress& progress) {
    seen.push_back(progress);
    return seen.size() < 3;
  });
  ASSERT_TRUE(trained.ok()) << trained.status();
  ASSERT_EQ(seen.size(), 3u);
  double best = seen[0].validation_loss;
  for (std::size_t i = 0; i < seen.size(); ++i) {
    best = std::min(best, seen[i].validation_loss);
    EXPECT_EQ(seen[i].epoch, i + 1);
    EXPECT_EQ(seen[i].epochs, 30u);
    EXPECT_EQ(seen[i].best_loss, best);
    EXPECT_GT(seen[i].training_loss, 0);
  }
}

TEST(TrainTest, StopsWhenPatienceIsSpent) {
  TrainOptions options = Options();
  options.epochs = 100;
  options.patience = 1;
  options.learning_rate = 0.5;  // too high to learn steadily
  std::size_t epochs = 0;
  const auto trained = Train(Sines(), options, [&](const TrainProgress&) { return ++epochs < 100; });
  ASSERT_TRUE(trained.ok()) << trained.status();
  EXPECT_LT(epochs, 100u);
}

struct Refusal {
  const char* name;
  std::function<void(std::vector<Series>&, TrainOptions&)> spoil;
  const char* message;
};

class TrainRefusalTest : public testing::TestWithParam<Refusal> {};

TEST_P(TrainRefusalTest, IsInvalidArgumentAndNamesTheCause) {
  std::vector<Series> series = Sines();
  TrainOptions options = Options();
  GetParam().spoil(series, options);
  const auto trained = Train(series, options, nullptr);
  ASSERT_EQ(trained.status().code(), absl::StatusCode::kInvalidArgument) << trained.status();
  EXPECT_THAT(std::string(trained.status().message()), HasSubstr(GetParam().message));
}

void MakeTargetConstant(std::vector<Series>& series, TrainOptions&) {
  for (Series& one : series) {
    for (std::size_t t = 0; t < one.size(); ++t) one.values[2 * t] = 5;
  }
}

void ScoreNoValidationRow(std::vector<Series>& series, TrainOptions&) {
  for (Series& one : series) std::fill(one.scored.end() - 105, one.scored.end(), false);
}

INSTANTIATE_TEST_SUITE_P(
    Causes, TrainRefusalTest,
    testing::Values(
        Refusal{"NoSeries", [](auto& series, auto&) { series.clear(); }, "no series"},
        Refusal{"TooFewRows", [](auto& series, auto&) { series[1] = Sine("short", 37, 1); },
                "stream 'short': 37 readings are too few"},
        Refusal{"ConstantTarget", MakeTargetConstant, "feature 'height' never varies"},
        Refusal{"Infinite",
                [](auto& series, auto&) { series[1].values[9] = std::numeric_limits<float>::infinity(); },
                "stream 'b', row 4: feature 'noise' is infinite"},
        Refusal{"OtherFeatures", [](auto& series, auto&) { series[0].features = 1; }, "stream 'a'"},
        Refusal{"MarksMissing", [](auto& series, auto&) { series[0].scored.pop_back(); }, "stream 'a'"},
        Refusal{"NothingToLearn", [](auto& series, auto&) { series[1].scored.assign(500, false); },
                "stream 'b': none of its 425 training readings"},
        Refusal{"NothingToJudge", ScoreNoValidationRow, "no validation reading"},
        Refusal{"NoFeatures", [](auto&, auto& options) { options.features.clear(); }, "features"},
        Refusal{"Target", [](auto&, auto& options) { options.target = 2; }, "target"},
        Refusal{"Quantiles",
                [](auto&, auto& options) {
                  options.quantiles = {0.9f, 0.5f, 0.1f};
                },
                "quantiles"},
        Refusal{"NoEpochs", [](auto&, auto& options) { options.epochs = 0; }, "epochs is 0"},
        Refusal{"NoPatience", [](auto&, auto& options) { options.patience = 0; }, "patience is 0"},
        Refusal{"NoBatch", [](auto&, auto& options) { options.batch = 0; }, "batch is 0"},
        Refusal{"NoTruncation", [](auto&, auto& options) { options.truncation = 0; }, "truncation is 0"},
        Refusal{"Fraction", [](auto&, auto& options) { options.validation_fraction = 1; },
                "validation_fraction is 1"},
        Refusal{"Length", [](auto&, auto& options) { options.sequence_length = 24; },
                "sequence_length is 24"},
        Refusal{"Rate", [](auto&, auto& options) { options.learning_rate = kNaN; }, "learning_rate"},
        Refusal{"Clip", [](auto&, auto& options) { options.clip = 0; }, "clip is 0"},
        Refusal{"NoContext",
                [](auto&, auto& options) {
                  options.level_inputs = true;
                  options.linear_contexts = {0, 24};
                },
                "linear_contexts: 0 readings"}),
    [](const auto& cause) { return std::string(cause.param.name); });

}  // namespace
}  // namespace tidegate
