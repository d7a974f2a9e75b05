// Networks that are trained on other rows than they are served on: windows, layers that run backwards, the
// recursive head. What the training says of them is what serving finds.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "engine/model/model.h"
#include "engine/stream/stream.h"
#include "engine/train/trainer.h"

namespace tidegate {
namespace {

constexpr std::size_t kRows = 600, kSplit = 510;

Series Sine() {
  std::mt19937_64 random(1);
  std::normal_distribution<float> noise(0, 0.1f);
  Series series{.stream = "a", .features = 1, .values = {}, .scored = std::vector<bool>(kRows, true)};
  for (std::size_t t = 0; t < kRows; ++t)
    series.values.push_back(20 + static_cast<float>(std::sin(0.25 * static_cast<double>(t))) + noise(random));
  return series;
}

struct Kind {
  const char* name;
  std::function<void(TrainOptions&)> set;
};

class TrainKindsTest : public testing::TestWithParam<Kind> {
 protected:
  TrainKindsTest() {
    options_.name = "sine";
    options_.interval_ns = 1'000'000'000;
    options_.features = {"height"};
    options_.level_inputs = true;
    options_.layers = {{.units = 12}};
    options_.horizon = 6;
    options_.warm_up = 24;
    options_.sequence_length = options_.truncation = 64;
    options_.epochs = 40;
    options_.batch = 8;
    options_.learning_rate = 1e-2;
  }

  TrainOptions options_;
};

TEST_P(TrainKindsTest, IsServedAsItWasValidatedAndBeatsTheLastValue) {
  GetParam().set(options_);
  const Series series = Sine();
  const auto trained = Train({series}, options_, nullptr);
  ASSERT_TRUE(trained.ok()) << trained.status();
  const ModelSpec& spec = trained->spec;
  const auto made = Model::Create(spec, trained->tensors);
  ASSERT_TRUE(made.ok()) << made.status();
  const Model& model = **made;
  StreamHeader header;
  std::vector<float> floats(StreamFloats(model)), inputs(spec.inputs()), outputs(spec.outputs());
  const StreamRef stream(model, header, floats);
  StartStream(model, stream);
  Model::Workspace workspace;
  double error = 0, count = 0;
  for (std::size_t t = 0; t < kRows; ++t) {
    const auto time = static_cast<std::int64_t>(t) * spec.interval_ns;
    Prepare(model, stream, time, std::span(&series.values[t], 1), inputs);
    float* state = floats.data();
    model.Step(inputs, {&state, 1}, outputs, workspace);
    Unscale(model, stream.kept, time, outputs);
    for (std::size_t k = 1; t >= kSplit && k <= spec.horizon && t + k < kRows; ++k) {
      error += std::abs(series.values[t + k] - outputs[(k - 1) * 3 + 1]);
      ++count;
    }
  }
  EXPECT_NEAR(error / count, spec.validation.mae, 1e-3 * spec.validation.mae);
  EXPECT_LT(spec.validation.mae, 0.45 * spec.validation.persistence_mae);
}

constexpr LayerSpec kSegments = {
    .kind = LayerKind::kConv1d, .units = 12, .kernel = 4, .stride = 4, .relative = true};
constexpr LayerSpec kBoth = {.units = 8, .bidirectional = true};

INSTANTIATE_TEST_SUITE_P(Kinds, TrainKindsTest,
                         testing::Values(Kind{"Window", [](auto& options) { options.window = 32; }},
                                         Kind{"WindowNormalised",
                                              [](auto& options) {
                                                options.window = 32;
                                                options.instance_normalisation = true;
                                              }},
                                         Kind{"Bidirectional",
                                              [](auto& options) {
                                                options.window = 32;
                                                options.layers = {kBoth};
                                              }},
                                         Kind{"BidirectionalSegments",
                                              [](auto& options) {
                                                options.window = 32;
                                                options.difference_inputs = false;
                                                options.layers = {kSegments, kBoth, {.units = 12}};
                                                options.head = HeadKind::kParallel;
                                                options.segment = 3;
                                                options.linear_contexts = {16, 32};
                                                options.amplitudes = 0.5;
                                              }},
                                         Kind{"Recursive",
                                              [](auto& options) { options.head = HeadKind::kRecursive; }}),
                         [](const auto& kind) { return std::string(kind.param.name); });

}  // namespace
}  // namespace tidegate
