#include "engine/layers/layer_stack.h"

#include <algorithm>
#include <string>

#include "engine/layers/make_layer.h"
#include "engine/layers/run_window.h"

namespace tidegate {

LayerStack::LayerStack(const std::vector<LayerSpec>& specs, std::size_t inputs, Chains chains,
                       const Tensors& tensors, Precision precision)
    : inputs_(inputs), chains_(chains) {
  std::size_t offset = 0;
  for (std::size_t i = 0; i < specs.size(); ++i) {
    const Tensors weights = Below(std::to_string(i) + ".", tensors);
    Entry entry{specs[i], nullptr, nullptr, offset, OutputsOf(specs[i])};
    if (specs[i].bidirectional) {
      entry.window = MakeBidirectional(specs[i], weights, precision);
    } else {
      entry.step = MakeLayer(specs[i], weights, precision);
      offset += entry.step->state_floats();
    }
    inputs = entry.outputs;
    layers_.push_back(std::move(entry));
    if (specs[i].stride > 1) {
      strided_ = static_cast<const Conv1dLayer*>(layers_.back().step.get());
      strided_index_ = i;
      stride_ = specs[i].stride;
      chains_offset_ = offset;
      offset = 0;
    }
  }
  outputs_ = inputs;
  if (strided_ != nullptr) {
    chain_floats_ = offset;
    offset = chains_offset_ + chain_floats_ * (chains_ == Chains::kInterleaved ? stride_ : 1);
  }
  holds_output_ = specs.back().residual || !IsRecurrent(specs.back().kind);
  state_floats_ = offset + (holds_output_ ? outputs_ : 0);
}

float* LayerStack::ChainOf(float* state) const {
  const std::size_t chain =
      chains_ == Chains::kInterleaved ? strided_->Phase(state + layers_[strided_index_].offset) : 0;
  return state + chains_offset_ + chain * chain_floats_;
}

const float** LayerStack::AddResidual(const Entry& entry, const float* const* x, const float** y,
                                      std::size_t rows, Scratch& scratch) const {
  float* const sums = scratch.Take<float>(rows * entry.outputs);
  for (std::size_t r = 0; r < rows; ++r) {
    float* const sum = sums + r * entry.outputs;
    for (std::size_t j = 0; j < entry.outputs; ++j) sum[j] = x[r][j] + y[r][j];
    y[r] = sum;
  }
  return y;
}

void LayerStack::Step(const float* const* x, float* const* states, std::size_t batch,
                      Scratch& scratch) const {
  float** const base = scratch.Take<float*>(batch);  // where the offsets of the present layers count from
  float** const stream = scratch.Take<float*>(batch);
  float** const state = scratch.Take<float*>(batch);
  std::copy_n(states, batch, base);
  std::copy_n(states, batch, stream);
  for (std::size_t i = 0; i < layers_.size() && batch > 0; ++i) {
    const Entry& entry = layers_[i];
    for (std::size_t b = 0; b < batch; ++b) state[b] = base[b] + entry.offset;
    const float** y = scratch.Take<const float*>(batch);
    entry.step->Step(x, state, y, batch, scratch);
    if (entry.spec.residual) y = AddResidual(entry, x, y, batch, scratch);
    if (&entry == &layers_[strided_index_] && strided_ != nullptr) {
      std::size_t active = 0;  // streams whose next layers step now
      for (std::size_t b = 0; b < batch; ++b) {
        if (chains_ == Chains::kSingle && strided_->Phase(state[b]) + 1 != stride_) continue;
        y[active] = y[b];
        stream[active] = stream[b];
        base[active++] = ChainOf(stream[b]);
      }
      batch = active;
    }
    x = y;
  }
  if (!holds_output_) return;
  for (std::size_t b = 0; b < batch; ++b) std::copy_n(x[b], outputs_, stream[b] + state_floats_ - outputs_);
}

bool LayerStack::IsState(const float* state) const {
  for (std::size_t i = 0; i < layers_.size(); ++i) {
    const bool above = strided_ != nullptr && i > strided_index_;
    const std::size_t chains = above && chains_ == Chains::kInterleaved ? stride_ : 1;
    for (std::size_t chain = 0; chain < chains; ++chain) {
      const float* const base = state + (above ? chains_offset_ + chain * chain_floats_ : 0);
      if (!layers_[i].step->IsState(base + layers_[i].offset)) return false;
    }
  }
  // Above a stride the present chain is found by a count that is there from the first reading on.
  return strided_ == nullptr || state[layers_[strided_index_].offset] > 0;
}

void LayerStack::Outputs(float* const* states, const float** y, std::size_t batch) const {
  for (std::size_t b = 0; b < batch; ++b) {
    if (holds_output_) {
      y[b] = states[b] + state_floats_ - outputs_;
    } else {
      y[b] = (strided_ == nullptr ? states[b] : ChainOf(states[b])) + layers_.back().offset;
    }
  }
}

void LayerStack::RunWindow(const float* const* x, std::size_t steps, std::size_t batch, const float** y,
                           Scratch& scratch) const {
  for (const Entry& entry : layers_) {
    const bool last = &entry == &layers_.back();
    const float** rows = scratch.Take<const float*>(steps * batch);
    if (entry.window != nullptr) {
      entry.window->Run(x, steps, batch, scratch, rows, y);
    } else {
      float** const states = scratch.Take<float*>(batch);
      tidegate::RunWindow(*entry.step, x, steps, batch, scratch, rows, states);
      // The state of a recurrent layer begins with its output.
      for (std::size_t b = 0; b < batch; ++b) {
        y[b] = IsRecurrent(entry.spec.kind) ? states[b] : rows[(steps - 1) * batch + b];
      }
    }
    if (entry.spec.residual) {
      rows = AddResidual(entry, x, rows, steps * batch, scratch);
      if (entry.window == nullptr) std::copy_n(rows + (steps - 1) * batch, batch, y);
    }
    if (last) return;
    if (entry.spec.stride > 1) {  // keep every stride-th reading, the last one among them
      const std::size_t kept = (steps + stride_ - 1) / stride_;
      const std::size_t first = (steps - 1) % stride_;
      for (std::size_t t = 0; t < kept; ++t) {
        std::copy_n(rows + (first + t * stride_) * batch, batch, rows + t * batch);
      }
      steps = kept;
    }
    x = rows;
  }
}

}  // namespace tidegate
