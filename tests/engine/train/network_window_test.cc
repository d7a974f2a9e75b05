// Networks whose every forecast is made anew from a window of readings, and the recursive head: what training
// sees against the served model, and the gradient against differences of its own loss.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "engine/model/model.h"
#include "engine/train/network.h"
#include "engine/train/random.h"

namespace tidegate {
namespace {

constexpr std::size_t kBatch = 3, kWindow = 8;

double Slope(std::size_t i) { return static_cast<double>(i * 7 % 11) / 5 - 1; }

ModelSpec Spec(std::vector<LayerSpec> layers, std::size_t window) {
  ModelSpec spec;
  spec.name = "small";
  spec.interval_ns = 1;
  spec.features = {{.name = "a", .deviation = 1.5f}};
  spec.level_inputs = true;
  spec.difference_inputs = false;
  spec.layers = std::move(layers);
  spec.window = window;
  spec.horizon = 3;
  spec.quantiles = {0.1f, 0.5f, 0.9f};
  spec.step_deviation = {1, 2, 3};
  return spec;
}

ModelSpec Parallel(std::vector<LayerSpec> layers, std::size_t channels) {
  ModelSpec spec = Spec(std::move(layers), kWindow);
  spec.head = HeadKind::kParallel;
  spec.segment = 1;
  spec.channels = channels;
  if (channels > 0) spec.features.push_back({.name = "channel"});
  return spec;
}

ModelSpec Normalised(ModelSpec spec) {
  spec.instance_normalisation = true;
  return spec;
}

class WindowTest : public testing::TestWithParam<std::pair<const char*, ModelSpec>> {
 protected:
  WindowTest()
      : spec_(GetParam().second), network_(spec_, RowsOf(spec_)), x_(kWindow * kBatch, spec_.inputs()) {
    Random random(3);
    network_.Randomise(random);
    for (float& value : x_.values) value = random.Uniform(2);
    for (std::size_t r = 0; spec_.channels > 0 && r < x_.rows; ++r)
      x_.row(r)[x_.cols - 1] = static_cast<float>(r % kBatch % spec_.channels);
  }

  double Loss() {
    network_.Start(kBatch);
    network_.Forward(x_);
    network_.Decode(outputs_);
    double sum = 0;
    for (std::size_t i = 0; i < outputs_.size(); ++i) sum += outputs_.values[i] * Slope(i);
    return sum;
  }

  ModelSpec spec_;
  Network network_;
  Matrix x_, outputs_;
};

TEST_P(WindowTest, AnswersAsTheServedModelDoes) {
  Loss();
  ASSERT_EQ(outputs_.rows, spec_.window > 0 ? kBatch : kWindow * kBatch);
  Tensors tensors = network_.WeightTensors();
  tensors["residuals.quantiles"] = ZeroTensor({ResidualTable::kLevels});
  tensors["residuals.count"] = {{1}, {1}};
  tensors["golden.values"] = ZeroTensor({1, spec_.features.size()});
  tensors["golden.forecast"] = ZeroTensor({3, 3});
  const auto model = Model::Create(spec_, tensors);
  ASSERT_TRUE(model.ok()) << model.status();
  Model::Workspace workspace;
  Matrix state(kBatch, (*model)->state_floats()), served(kBatch, spec_.outputs());
  std::vector<float*> states = {state.row(0), state.row(1), state.row(2)};
  for (std::size_t t = 0; t < kWindow; ++t)
    (*model)->Step({x_.row(t * kBatch), kBatch * x_.cols}, states, served.values, workspace);
  const std::size_t now = outputs_.cols;  // of a recursive head the first step alone
  for (std::size_t b = 0; b < kBatch; ++b) {
    const float* const row = outputs_.row(outputs_.rows - kBatch + b);
    EXPECT_THAT(std::vector<float>(served.row(b), served.row(b) + now),
                testing::Pointwise(testing::FloatNear(2e-5f), std::vector<float>(row, row + now)));
  }
}

TEST_P(WindowTest, GradientAgreesWithDifferences) {
  Loss();
  Matrix d_outputs = outputs_;
  for (std::size_t i = 0; i < d_outputs.size(); ++i) d_outputs.values[i] = static_cast<float>(Slope(i));
  network_.ClearGradients();
  network_.Backward(x_, outputs_, d_outputs);
  Random random(5);
  const Arrays weights = network_.Weights(), gradients = network_.Gradients();
  std::vector<float> direction;
  double expected = 0;
  for (const auto gradient : gradients) {
    for (const float g : gradient) {
      direction.push_back(random.Uniform(1));
      expected += static_cast<double>(direction.back()) * g;
    }
  }
  const auto loss_at = [&](float distance) {
    const auto move = [&](float by) {
      std::size_t at = 0;
      for (const auto array : weights) {
        for (float& weight : array) weight += by * direction[at++];
      }
    };
    move(distance);
    const double loss = Loss();
    move(-distance);
    return loss;
  };
  // Richardson: the error of the third derivative falls out.
  const auto slope = [&](float step) { return (loss_at(step) - loss_at(-step)) / (2 * step); };
  EXPECT_NEAR(expected, (4 * slope(1e-3f) - slope(2e-3f)) / 3, 2e-3 * std::max(1.0, std::abs(expected)));
}

constexpr LayerSpec kSegments = {
    .kind = LayerKind::kConv1d, .units = 6, .kernel = 4, .stride = 4, .relative = true};
constexpr LayerSpec kBoth = {.units = 4, .bidirectional = true};

ModelSpec Recursive() {
  ModelSpec spec = Spec({{.units = 5}}, 0);
  spec.difference_inputs = true;
  spec.head = HeadKind::kRecursive;
  return spec;
}

INSTANTIATE_TEST_SUITE_P(
    Networks, WindowTest,
    testing::Values(
        std::pair("gru", Spec({{.units = 5}}, kWindow)),
        std::pair("lstm_normalised", Normalised(Spec({{.kind = LayerKind::kLstm, .units = 5}}, kWindow))),
        std::pair("bidirectional", Spec({kBoth}, kWindow)),
        std::pair("bidirectional_two",
                  Spec({kBoth, {.kind = LayerKind::kLstm, .units = 3, .bidirectional = true}}, kWindow)),
        std::pair("bidirectional_segments", Spec({kSegments, kBoth}, kWindow)),
        std::pair("parallel", Parallel({kSegments, kBoth, {.units = 5}}, 2)),
        std::pair("parallel_normalised",
                  Normalised(Parallel({kSegments, {.kind = LayerKind::kLstm, .units = 5}}, 2))),
        std::pair("strided_top", Spec({{.units = 5}, kSegments}, kWindow)),
        std::pair("recursive", Recursive())),
    [](const auto& network) { return std::string(network.param.first); });

}  // namespace
}  // namespace tidegate
