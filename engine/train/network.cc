#include "engine/train/network.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/cells/weight_gradient.h"
#include "engine/layers/quantile_head.h"
#include "engine/tensor/gemm.h"

namespace tidegate {
namespace {

constexpr std::size_t StatesOf(CellKind kind) { return kind == CellKind::kGru ? 1 : 2; }

Tensor TensorOf(const Matrix& matrix) { return {{matrix.rows, matrix.cols}, matrix.values}; }
Tensor TensorOf(const std::vector<float>& values) { return {{values.size()}, values}; }

}  // namespace

NetworkWeights::NetworkWeights(const ModelSpec& spec)
    : head(spec.outputs(), spec.layers.back().units), head_bias(spec.outputs()) {
  std::size_t inputs = spec.inputs();
  for (const LayerSpec& layer : spec.layers) {
    const std::size_t rows = GatesOf(layer.cell) * layer.units;
    layers.push_back({Matrix(rows, inputs), Matrix(rows, layer.units), std::vector<float>(rows),
                      std::vector<float>(rows)});
    inputs = layer.units;
  }
}

void NetworkWeights::Randomise(Random& random) {
  const auto fill = [&random](std::vector<float>& values, std::size_t units) {
    const float bound = 1 / std::sqrt(static_cast<float>(units));
    for (float& value : values) value = random.Uniform(bound);
  };
  for (RecurrentWeights& layer : layers) {
    fill(layer.input.values, layer.units());
    fill(layer.hidden.values, layer.units());
    fill(layer.input_bias, layer.units());
    fill(layer.hidden_bias, layer.units());
  }
  fill(head.values, head.cols);
  fill(head_bias, head.cols);
}

void NetworkWeights::SetZero() {
  for (const auto array : AsArrays()) std::ranges::fill(array, 0.0f);
}

Arrays NetworkWeights::AsArrays() {
  Arrays arrays;
  for (RecurrentWeights& layer : layers) {
    arrays.insert(arrays.end(),
                  {layer.input.values, layer.hidden.values, layer.input_bias, layer.hidden_bias});
  }
  arrays.insert(arrays.end(), {head.values, head_bias});
  return arrays;
}

Tensors NetworkWeights::AsTensors() const {
  Tensors tensors;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    tensors[absl::StrCat("layers.", i, ".weight_ih")] = TensorOf(layers[i].input);
    tensors[absl::StrCat("layers.", i, ".weight_hh")] = TensorOf(layers[i].hidden);
    tensors[absl::StrCat("layers.", i, ".bias_ih")] = TensorOf(layers[i].input_bias);
    tensors[absl::StrCat("layers.", i, ".bias_hh")] = TensorOf(layers[i].hidden_bias);
  }
  tensors["head.weight"] = TensorOf(head);
  tensors["head.bias"] = TensorOf(head_bias);
  return tensors;
}

void Network::Start(std::size_t batch) {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    layers_[i].state = Matrix(batch, StatesOf(spec_.layers[i].cell) * spec_.layers[i].units);
  }
}

void Network::Forward(const NetworkWeights& weights, const Matrix& x) {
  const Matrix* input = &x;
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    Layer& layer = layers_[i];
    const bool is_gru = spec_.layers[i].cell == CellKind::kGru;
    if (is_gru) {
      GruForward(weights.layers[i], *input, layer.state, layer.gru);
    } else {
      LstmForward(weights.layers[i], *input, layer.state, layer.lstm);
    }
    const Matrix& hidden = is_gru ? layer.gru.hidden : layer.lstm.hidden;
    layer.output.Resize(x.rows, hidden.cols);
    std::copy_n(hidden.row(layer.state.rows), layer.output.size(), layer.output.data());
    input = &layer.output;
  }
}

void Network::Decode(const NetworkWeights& weights, Matrix& outputs) const {
  const Matrix& hidden = layers_.back().output;
  outputs.Resize(hidden.rows, weights.head.rows);
  for (std::size_t r = 0; r < outputs.rows; ++r) std::ranges::copy(weights.head_bias, outputs.row(r));
  Gemm(Transpose::kNo, Transpose::kYes, hidden.rows, outputs.cols, hidden.cols, hidden.data(),
       weights.head.data(), outputs.data(), true);
  QuantileHead::Uncross(outputs.data(), outputs.rows * spec_.horizon, spec_.quantiles.size());
}

void Network::Backward(const NetworkWeights& weights, const Matrix& x, const Matrix& outputs,
                       Matrix& d_outputs, NetworkWeights& gradient) {
  const Matrix& hidden = layers_.back().output;
  QuantileHead::UncrossGradient(outputs.data(), d_outputs.data(), outputs.rows * spec_.horizon,
                                spec_.quantiles.size());
  Gemm(Transpose::kYes, Transpose::kNo, outputs.cols, hidden.cols, hidden.rows, d_outputs.data(),
       hidden.data(), gradient.head.data(), true);
  AddColumnSums(d_outputs, gradient.head_bias);
  Matrix d_hidden(hidden.rows, hidden.cols), d_below;
  Gemm(Transpose::kNo, Transpose::kNo, hidden.rows, hidden.cols, outputs.cols, d_outputs.data(),
       weights.head.data(), d_hidden.data(), false);
  for (std::size_t i = layers_.size(); i-- > 0;) {
    const Matrix& input = i == 0 ? x : layers_[i - 1].output;
    Matrix* const d_input = i == 0 ? nullptr : &d_below;
    if (spec_.layers[i].cell == CellKind::kGru) {
      GruBackward(weights.layers[i], input, layers_[i].gru, d_hidden, gradient.layers[i], d_input);
    } else {
      LstmBackward(weights.layers[i], input, layers_[i].lstm, d_hidden, gradient.layers[i], d_input);
    }
    std::swap(d_hidden, d_below);
  }
}

}  // namespace tidegate
