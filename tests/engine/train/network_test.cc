#include "engine/train/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/model/model.h"
#include "engine/train/loss.h"
#include "engine/train/random.h"
#include "tests/engine/layers/reference.h"

namespace tidegate {
namespace {

using reference::Var;

constexpr std::size_t kBatch = 3, kSteps = 7;

// A GRU below an LSTM, two features, three steps ahead.
ModelSpec SmallSpec() {
  ModelSpec spec;
  spec.name = "small";
  spec.interval_ns = 1;
  spec.features = {{.name = "a"}, {.name = "b"}};
  spec.layers = {{.units = 5}, {.kind = LayerKind::kLstm, .units = 4}};
  spec.horizon = 3;
  spec.quantiles = {0.1f, 0.3f, 0.5f, 0.7f, 0.9f};
  spec.step_deviation = {1, 1, 1};
  return spec;
}

class NetworkTest : public testing::Test {
 protected:
  NetworkTest() : spec_(SmallSpec()), network_(spec_), x_(kSteps * kBatch, 2), targets_(x_.rows, 3) {
    Random random(11);
    network_.Randomise(random);
    for (float& value : x_.values) value = random.Uniform(3);
    for (float& value : targets_.values) value = random.Uniform(2);
    targets_.values[4] = std::numeric_limits<float>::quiet_NaN();
  }

  std::vector<double> FlatWeights() {
    std::vector<double> flat;
    for (const auto array : network_.Weights()) flat.insert(flat.end(), array.begin(), array.end());
    return flat;
  }

  // The outputs [T*B, horizon*Q] of the reference.
  template <typename T>
  std::vector<std::vector<T>> Reference(const std::vector<T>& flat) {
    auto next = flat.begin();
    const auto take = [&next](std::size_t n) {
      next += static_cast<std::ptrdiff_t>(n);
      return std::vector<T>(next - static_cast<std::ptrdiff_t>(n), next);
    };
    const auto layer = [&](std::size_t rows, std::size_t inputs, std::size_t units) {
      reference::Weights<T> weights;
      weights.hidden_bias = take(rows);  // in the order of the tensors' names
      weights.input_bias = take(rows);
      weights.hidden = take(rows * units);
      weights.input = take(rows * inputs);
      return weights;
    };
    const auto gru = layer(15, 2, 5), lstm = layer(16, 5, 4);
    const auto bias = take(15), head = take(15 * 4);
    std::vector<std::vector<T>> g(kBatch, std::vector<T>(5)), h(kBatch, std::vector<T>(4)), s = h, outputs;
    for (std::size_t row = 0; row < x_.rows; ++row) {
      const std::size_t b = row % kBatch;
      reference::GruStep(gru, std::vector<T>(x_.row(row), x_.row(row) + 2), g[b]);
      reference::LstmStep(lstm, g[b], h[b], s[b]);
      outputs.push_back(reference::Uncross(reference::Dense(head, bias, h[b]), 5));
    }
    return outputs;
  }

  ModelSpec spec_;
  Network network_;
  Matrix x_;
  Matrix targets_;
};

TEST_F(NetworkTest, OutputsAgreeWithReference) {
  Matrix outputs;
  network_.Start(kBatch);
  network_.Forward(x_);
  network_.Decode(outputs);
  const auto expected = Reference(FlatWeights());
  for (std::size_t row = 0; row < x_.rows; ++row) {
    EXPECT_THAT(std::vector<float>(outputs.row(row), outputs.row(row) + outputs.cols),
                testing::Pointwise(testing::DoubleNear(1e-5), expected[row]));
  }
}

TEST_F(NetworkTest, GradientAgreesWithReference) {
  Matrix outputs;
  network_.Start(kBatch);
  network_.Forward(x_);
  network_.Decode(outputs);
  Matrix d_outputs = outputs;
  LossGradient({.quantiles = spec_.quantiles}, targets_, 1, d_outputs);
  network_.Backward(x_, outputs, d_outputs);
  std::vector<double> found;
  for (const auto array : network_.Gradients()) found.insert(found.end(), array.begin(), array.end());

  const auto leaves = Var::Leaves(FlatWeights());
  const auto forecasts = Reference(leaves);
  Var loss(0);
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    if (std::isnan(targets_.values[i])) continue;
    for (std::size_t q = 0; q < 5; ++q) {
      loss =
          loss + reference::Pinball(targets_.values[i], spec_.quantiles[q], forecasts[i / 3][i % 3 * 5 + q]);
    }
  }
  const auto expected = Var::Gradient(loss, leaves);
  double largest = 0;
  for (const double value : expected) largest = std::max(largest, std::abs(value));
  EXPECT_THAT(found, testing::Pointwise(testing::DoubleNear(1e-4 * largest), expected));
}

TEST_F(NetworkTest, CarriesItsStatesOn) {
  Network parts(spec_);
  parts.SetWeights(network_.WeightTensors());
  Matrix expected, outputs;
  network_.Start(kBatch);
  network_.Forward(x_);
  network_.Decode(expected);
  parts.Start(kBatch);
  Matrix x(kBatch, 2);
  for (std::size_t step = 0; step < kSteps; ++step) {
    std::copy_n(x_.row(step * kBatch), x.size(), x.data());
    parts.Forward(x);
  }
  parts.Decode(outputs);
  const std::vector<float> last(expected.row((kSteps - 1) * kBatch), expected.row(0) + expected.size());
  EXPECT_THAT(outputs.values, testing::Pointwise(testing::FloatNear(1e-5f), last));
}

// Networks of every make: the sequence form against the served model, step by step over a whole series, and
// its gradient against differences of its own loss.
class CompositionTest : public testing::TestWithParam<std::pair<const char*, ModelSpec>> {
 protected:
  static constexpr std::size_t kLong = 24;

  CompositionTest() : spec_(GetParam().second), network_(spec_), x_(kLong * kBatch, spec_.inputs()) {
    Random random(3);
    network_.Randomise(random);
    for (float& value : x_.values) value = random.Uniform(2);
    for (std::size_t r = 0; spec_.channels > 0 && r < x_.rows; ++r) {
      x_.row(r)[x_.cols - 1] = static_cast<float>(r % kBatch % spec_.channels);
    }
  }

  // Sum of all outputs, weighted by place, in two chunks so that states are carried on.
  double Loss() {
    network_.Start(kBatch);
    double loss = 0;
    for (const std::size_t first : {std::size_t{0}, kLong / 2}) {
      Matrix outputs;
      chunk_ = Matrix(kLong / 2 * kBatch, x_.cols);
      std::copy_n(x_.row(first * kBatch), chunk_.size(), chunk_.data());
      network_.Forward(chunk_);
      network_.Decode(outputs);
      all_[first == 0 ? 0 : 1] = outputs;
      if (first == 0) continue;  // gradients end at the chunk's first state
      for (std::size_t i = 0; i < outputs.size(); ++i) loss += outputs.values[i] * Slope(i);
    }
    return loss;
  }
  static double Slope(std::size_t i) { return static_cast<double>(i * 7 % 11) / 5 - 1; }

  ModelSpec spec_;
  Network network_;
  Matrix x_, chunk_, all_[2];
};

TEST_P(CompositionTest, AnswersAsTheServedModelDoes) {
  Loss();
  Tensors tensors = network_.WeightTensors();
  tensors["residuals.quantiles"] = {{ResidualTable::kLevels}, std::vector<float>(ResidualTable::kLevels)};
  tensors["residuals.count"] = {{1}, {1}};
  tensors["golden.values"] = {{1, 2}, {0, 0}};
  tensors["golden.forecast"] = {{3, 5}, std::vector<float>(15)};
  const auto model = Model::Create(spec_, tensors);
  ASSERT_TRUE(model.ok()) << model.status();
  Model::Workspace workspace;
  Matrix state(kBatch, (*model)->state_floats()), served(kBatch, spec_.outputs());
  std::vector<float*> states = {state.row(0), state.row(1), state.row(2)};
  for (std::size_t t = 0; t < kLong; ++t) {
    (*model)->Step({x_.row(t * kBatch), kBatch * x_.cols}, states, served.values, workspace);
    const Matrix& outputs = all_[t < kLong / 2 ? 0 : 1];
    const float* const row = outputs.row(t % (kLong / 2) * kBatch);
    EXPECT_THAT(served.values,
                testing::Pointwise(testing::FloatNear(1e-5f), std::vector<float>(row, row + served.size())))
        << "step " << t;
  }
}

TEST_P(CompositionTest, GradientAgreesWithDifferences) {
  Loss();
  Matrix d_outputs = all_[1];
  for (std::size_t i = 0; i < d_outputs.size(); ++i) d_outputs.values[i] = static_cast<float>(Slope(i));
  network_.ClearGradients();
  network_.Backward(chunk_, all_[1], d_outputs);
  // Along a random direction, weights moved far enough for single precision. The weights' influence through
  // the states of the first chunk is cut off by the gradient, so the direction moves the head and layers that
  // carry nothing over only if the first chunk's part is taken out: states are those of the unmoved weights.
  Random random(5);
  std::vector<std::vector<float>> direction;
  double expected = 0;
  const Arrays weights = network_.Weights(), gradients = network_.Gradients();
  for (std::size_t a = 0; a < weights.size(); ++a) {
    direction.emplace_back(weights[a].size());
    for (std::size_t i = 0; i < weights[a].size(); ++i) {
      direction[a][i] = random.Uniform(1);
      expected += static_cast<double>(direction[a][i]) * gradients[a][i];
    }
  }
  const auto loss_at = [&](float distance) {
    network_.Start(kBatch);
    Matrix first(kLong / 2 * kBatch, x_.cols), outputs;
    std::copy_n(x_.data(), first.size(), first.data());
    network_.Forward(first);
    for (std::size_t a = 0; a < weights.size(); ++a) {
      for (std::size_t i = 0; i < weights[a].size(); ++i) weights[a][i] += distance * direction[a][i];
    }
    network_.Forward(chunk_);
    network_.Decode(outputs);
    double loss = 0;
    for (std::size_t i = 0; i < outputs.size(); ++i) loss += outputs.values[i] * Slope(i);
    for (std::size_t a = 0; a < weights.size(); ++a) {
      for (std::size_t i = 0; i < weights[a].size(); ++i) weights[a][i] -= distance * direction[a][i];
    }
    return loss;
  };
  // Central differences of two steps, so combined that the error of the third derivative falls out
  // (Richardson).
  const auto slope = [&](float step) { return (loss_at(step) - loss_at(-step)) / (2 * step); };
  EXPECT_NEAR(expected, (4 * slope(1e-3f) - slope(2e-3f)) / 3, 2e-3 * std::max(1.0, std::abs(expected)));
}

// With the median first, what reaches the layers is the gradient of a network that has only the median.
TEST_P(CompositionTest, MedianFirstShapesTheLayersAsTheMedianAlone) {
  ModelSpec point_spec = spec_;
  point_spec.quantiles = {0.5f};
  Network point(point_spec);
  network_.SetMedianFirst(true);
  Tensors tensors = network_.WeightTensors();
  const std::size_t levels = spec_.quantiles.size();
  for (const char* const name : {"head.weight", "head.bias"}) {  // the median's rows alone
    Tensor& tensor = tensors.at(name);
    const std::size_t rows = tensor.shape[0], width = tensor.values.size() / rows;
    std::vector<float> kept;
    for (std::size_t row = levels / 2; row < rows; row += levels) {
      kept.insert(kept.end(), &tensor.values[row * width], &tensor.values[row * width] + width);
    }
    tensor.shape[0] = rows / levels;
    tensor.values = std::move(kept);
  }
  point.SetWeights(tensors);
  const auto first_gradient = [&](Network& network, std::size_t q) {
    Matrix outputs;
    network.Start(kBatch);
    network.Forward(x_);
    network.Decode(outputs);
    Matrix d_outputs(outputs.rows, outputs.cols);
    for (std::size_t i = 0; i < outputs.size(); ++i)
      d_outputs.values[i] = static_cast<float>(Slope(q == 1 ? i : i / q));  // alike for all levels of a step
    network.ClearGradients();
    network.Backward(x_, outputs, d_outputs);
    const auto gradient = network.Gradients().front();
    return std::vector<float>(gradient.begin(), gradient.end());
  };
  const std::vector<float> expected = first_gradient(point, 1);
  EXPECT_THAT(first_gradient(network_, levels), testing::Pointwise(testing::FloatNear(2e-4f), expected));
}

// Of interleaved chains each, run by itself from the reading after its phase on, gives what all together
// give.
TEST_P(CompositionTest, HopsAreTheLastReadingsOfSingleChains) {
  if (!spec_.interleaved) GTEST_SKIP() << "no chains";
  ModelSpec single_spec = spec_;
  single_spec.interleaved = false;
  Network single(single_spec), hops(spec_, Network::Rows::kHops);
  single.SetWeights(network_.WeightTensors());
  hops.SetWeights(network_.WeightTensors());
  Matrix expected, outputs;
  single.Start(kBatch);
  single.Forward(x_);
  single.Decode(expected);
  hops.Start(kBatch);
  hops.Forward(x_);
  hops.Decode(outputs);
  const std::size_t stride = hops.stride();
  ASSERT_EQ(outputs.rows * stride, expected.rows);
  for (std::size_t r = 0; r < outputs.rows; ++r) {
    const float* const row = expected.row(((r / kBatch + 1) * stride - 1) * kBatch + r % kBatch);
    EXPECT_THAT(std::vector<float>(outputs.row(r), outputs.row(r) + outputs.cols),
                testing::Pointwise(testing::FloatNear(1e-5f), std::vector<float>(row, row + outputs.cols)));
  }
}

TEST_P(CompositionTest, GradientOfHopsAgreesWithDifferences) {
  if (!spec_.interleaved) GTEST_SKIP() << "no chains";
  Network hops(spec_, Network::Rows::kHops);
  hops.SetWeights(network_.WeightTensors());
  Matrix outputs;
  const auto loss = [&] {
    hops.Start(kBatch);
    hops.Forward(x_);
    hops.Decode(outputs);
    double sum = 0;
    for (std::size_t i = 0; i < outputs.size(); ++i) sum += outputs.values[i] * Slope(i);
    return sum;
  };
  loss();
  Matrix d_outputs = outputs;
  for (std::size_t i = 0; i < d_outputs.size(); ++i) d_outputs.values[i] = static_cast<float>(Slope(i));
  hops.ClearGradients();
  hops.Backward(x_, outputs, d_outputs);
  Random random(5);
  const Arrays weights = hops.Weights(), gradients = hops.Gradients();
  std::vector<float> direction;
  double expected = 0;
  for (std::size_t a = 0; a < weights.size(); ++a) {
    for (const float gradient : gradients[a]) {
      direction.push_back(random.Uniform(1));
      expected += static_cast<double>(direction.back()) * gradient;
    }
  }
  const auto move = [&](float distance) {
    std::size_t at = 0;
    for (const auto array : weights) {
      for (float& weight : array) weight += distance * direction[at++];
    }
  };
  const float step = 2e-3f;
  move(step);
  const double high = loss();
  move(-2 * step);
  const double low = loss();
  EXPECT_NEAR(expected, (high - low) / (2 * step), 2e-3 * std::max(1.0, std::abs(expected)));
}

ModelSpec WithLayers(std::vector<LayerSpec> layers, bool interleaved = false) {
  ModelSpec spec = SmallSpec();
  spec.level_inputs = true;
  spec.difference_inputs = false;
  spec.layers = std::move(layers);
  spec.interleaved = interleaved;
  return spec;
}

ModelSpec Parallel(std::vector<LayerSpec> layers, std::size_t segment, std::size_t channels,
                   bool interleaved) {
  ModelSpec spec = WithLayers(std::move(layers), interleaved);
  spec.head = HeadKind::kParallel;
  spec.segment = segment;
  spec.channels = channels;
  return spec;
}

constexpr LayerSpec kConv = {.kind = LayerKind::kConv1d, .units = 6, .kernel = 3};
constexpr LayerSpec kSegments = {
    .kind = LayerKind::kConv1d, .units = 6, .kernel = 4, .stride = 4, .relative = true};

INSTANTIATE_TEST_SUITE_P(
    Networks, CompositionTest,
    testing::Values(
        std::pair("cnn_gru", WithLayers({kConv, {.units = 5}})),
        std::pair("residual",
                  WithLayers({{.kind = LayerKind::kLstm, .units = 6}, {.units = 6, .residual = true}})),
        std::pair("projected",
                  WithLayers({{.kind = LayerKind::kLstm, .units = 6, .peepholes = true, .projection = 3},
                              {.kind = LayerKind::kGluGru, .units = 4}})),
        std::pair("single_chain", WithLayers({kConv, kSegments, {.units = 5}})),
        std::pair("strided_top", WithLayers({{.units = 5}, kSegments})),
        std::pair("interleaved",
                  WithLayers({kConv, kSegments, {.units = 5}, {.kind = LayerKind::kLstm, .units = 4}}, true)),
        std::pair("interleaved_residual",
                  WithLayers({kSegments, {.kind = LayerKind::kGruResetBefore, .units = 6, .residual = true}},
                             true)),
        std::pair("parallel", Parallel({{.units = 5}, {.units = 4}}, 1, 0, false)),
        std::pair("parallel_alone", Parallel({{.kind = LayerKind::kLstm, .units = 4}}, 3, 0, false)),
        std::pair("parallel_held",
                  Parallel({kSegments, {.kind = LayerKind::kLstm, .units = 4}}, 1, 2, false)),
        std::pair("parallel_chains", Parallel({kSegments, {.units = 4}}, 1, 2, true)),
        std::pair("parallel_chains_lstm",
                  Parallel({kConv, kSegments, {.kind = LayerKind::kLstm, .units = 4, .peepholes = true}}, 1,
                           2, true)),
        std::pair("parallel_chains_norm",
                  Parallel({kSegments, {.kind = LayerKind::kGruLayerNorm, .units = 6}}, 3, 2, true)),
        std::pair("parallel_chains_glu",
                  Parallel({kSegments, {.kind = LayerKind::kGluGru, .units = 4}}, 1, 0, true)),
        std::pair("parallel_chains_reset_before",
                  Parallel({kSegments, {.kind = LayerKind::kGruResetBefore, .units = 4}}, 1, 2, true)),
        std::pair("parallel_chains_projected",
                  Parallel({kSegments, {.kind = LayerKind::kLstm, .units = 6, .projection = 3}}, 3, 2, true)),
        std::pair("layer_norm", WithLayers({{.kind = LayerKind::kGruLayerNorm, .units = 6},
                                            {.kind = LayerKind::kLstmLayerNorm, .units = 5}}))),
    [](const auto& network) { return network.param.first; });

}  // namespace
}  // namespace tidegate
