#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "engine/cells/layer.h"
#include "engine/layers/bidirectional.h"
#include "engine/layers/conv1d.h"
#include "engine/layers/layer_spec.h"
#include "engine/tensor/precision.h"
#include "engine/tensor/scratch.h"
#include "engine/tensor/tensors.h"

namespace tidegate {

// The layers of a network one above the other, with their residual connections, run in either of two ways
// from the same weights: statefully, a step a reading, or over a window of readings from zero states.
//
// One layer may be a convolution with a stride s > 1. The layers above it then step once in s readings
// (kSingle: their outputs stand still in between), or at every reading, each time from the state of s
// readings before, so that every forecast is fresh: s chains of states, one for each phase (kInterleaved).
//
// Const methods are safe from any thread, each with a Scratch of its own.
class LayerStack {
 public:
  enum class Chains { kSingle, kInterleaved };

  // tensors: "<i>.<name>" with the parameters of layer i. Requires specs that pass CheckLayer and fit
  // together, at most one of them strided.
  LayerStack(const std::vector<LayerSpec>& specs, std::size_t inputs, Chains chains, const Tensors& tensors,
             Precision precision = Precision::kF32);

  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return outputs_; }
  // Floats of one stream's state: for each layer in order its own, those above a stride once for each chain,
  // then the last output [O] if the topmost layer does not keep it. Zero at a stream's start.
  std::size_t state_floats() const { return state_floats_; }

  // Advances B streams by one reading. x: B pointers to rows of I floats. states: B pointers, changed in
  // place.
  void Step(const float* const* x, float* const* states, std::size_t batch, Scratch& scratch) const;

  // Whether `state`, which is finite, can have been made by Step: it counts as the layers count.
  bool IsState(const float* state) const;

  // y: set to B pointers into the states: the outputs [O] after the last Step. If the topmost layer is
  // recurrent and not residual, the rest of its state stands behind them.
  void Outputs(float* const* states, const float** y, std::size_t batch) const;

  // Runs windows of T readings of B streams from zero states. x: T*B pointers to rows, time-major. y: set to
  // B pointers to rows of O floats in `scratch`: the outputs after the last reading, for a bidirectional
  // layer the last state of either direction; behind them the rest of a recurrent layer's state. A stride
  // counts from the last reading backwards.
  void RunWindow(const float* const* x, std::size_t steps, std::size_t batch, const float** y,
                 Scratch& scratch) const;

  const Layer& top() const { return *layers_.back().step; }

 private:
  struct Entry {
    LayerSpec spec;
    std::unique_ptr<const Layer> step;            // null: bidirectional
    std::unique_ptr<const Bidirectional> window;  // null: any other
    std::size_t offset = 0;                       // of its state, above a stride within a chain
    std::size_t outputs = 0;
  };
  const float** AddResidual(const Entry& entry, const float* const* x, const float** y, std::size_t rows,
                            Scratch& scratch) const;
  float* ChainOf(float* state) const;

  std::size_t inputs_;
  std::size_t outputs_ = 0;
  std::size_t state_floats_ = 0;
  std::vector<Entry> layers_;
  Chains chains_;
  const Conv1dLayer* strided_ = nullptr;  // one of layers_
  std::size_t strided_index_ = 0;
  std::size_t stride_ = 1;
  std::size_t chains_offset_ = 0;  // of the first chain in a state
  std::size_t chain_floats_ = 0;
  bool holds_output_ = false;  // the last floats of a state are the last output
};

}  // namespace tidegate
