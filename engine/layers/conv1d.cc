#include "engine/layers/conv1d.h"

#include <algorithm>
#include <cmath>
#include <vector>

namespace tidegate {
namespace {

// weight [O, I, K] as [O, K, I]: a row multiplies consecutive readings.
PackedLinear PackReadingsFirst(const Tensors& tensors) {
  const Tensor& weight = tensors.at("weight");
  const std::size_t outputs = weight.shape[0], inputs = weight.shape[1], kernel = weight.shape[2];
  std::vector<float> rows(weight.values.size());
  for (std::size_t o = 0; o < outputs; ++o) {
    for (std::size_t i = 0; i < inputs; ++i) {
      for (std::size_t k = 0; k < kernel; ++k) {
        rows[(o * kernel + k) * inputs + i] = weight.values[(o * inputs + i) * kernel + k];
      }
    }
  }
  return {rows.data(), tensors.at("bias").values.data(), outputs, kernel * inputs};
}

}  // namespace

Conv1dLayer::Conv1dLayer(const LayerSpec& spec, const Tensors& tensors)
    : spec_(spec),
      inputs_(tensors.at("weight").shape[1]),
      past_((spec.kernel - 1) * spec.dilation + (spec.relative ? 1 : 0)),
      counts_(spec.relative || spec.stride > 1 ? 1 : 0),
      linear_(PackReadingsFirst(tensors)) {}

// Shifts x into the past and counts it.
void Conv1dLayer::Remember(const float* x, float* state) const {
  float* const past = state + counts_;
  if (past_ > 0) {
    std::copy(past + inputs_, past + past_ * inputs_, past);
    std::copy_n(x, inputs_, past + (past_ - 1) * inputs_);
  }
  if (counts_ == 0) return;
  const auto stride = static_cast<float>(spec_.stride);
  state[0] = state[0] == stride ? 1 : state[0] + 1;
}

bool Conv1dLayer::IsState(const float* state) const {
  const auto stride = static_cast<float>(spec_.stride);
  return counts_ == 0 || (state[0] >= 0 && state[0] <= stride && state[0] == std::floor(state[0]));
}

void Conv1dLayer::Step(const float* const* x, float* const* states, const float** y, std::size_t batch,
                       Scratch& scratch) const {
  const std::size_t width = spec_.kernel * inputs_;
  float* const windows = scratch.Take<float>(batch * width);
  const float** const rows = scratch.Take<const float*>(batch);
  float* const outputs = scratch.Take<float>(batch * linear_.outputs());
  for (std::size_t b = 0; b < batch; ++b) {
    float* const past = states[b] + counts_;
    if (spec_.relative && states[b][0] == 0) {
      for (std::size_t t = 0; t < past_; ++t) std::copy_n(x[b], inputs_, past + t * inputs_);
    }
    float* const window = windows + b * width;
    const float* const first = past + (spec_.relative ? inputs_ : 0);
    for (std::size_t k = 0; k < spec_.kernel; ++k) {
      const float* const reading = k + 1 == spec_.kernel ? x[b] : first + k * spec_.dilation * inputs_;
      for (std::size_t i = 0; i < inputs_; ++i) {
        window[k * inputs_ + i] = spec_.relative ? reading[i] - past[i] : reading[i];
      }
    }
    rows[b] = window;
    y[b] = outputs + b * linear_.outputs();
  }
  linear_.Apply(rows, outputs, batch);
  if (spec_.relu) {
    for (std::size_t i = 0; i < batch * linear_.outputs(); ++i) outputs[i] = std::max(outputs[i], 0.0f);
  }
  for (std::size_t b = 0; b < batch; ++b) Remember(x[b], states[b]);
}

}  // namespace tidegate
