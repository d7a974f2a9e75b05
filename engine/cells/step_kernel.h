#pragma once

#include <cstddef>
#include <vector>

#include "engine/cells/recurrent_weights.h"
#include "engine/tensor/scratch.h"

namespace tidegate {

enum class Gating { kGru, kLstm, kPeepholeLstm };

// The fused step of a GRU or LSTM layer: both products and the gates in one pass, the pre-activations never
// leaving the registers. For every stream and unit the terms of a gate are added in one order (bias, inputs,
// hidden state, each ascending) whatever the batch, so the bits of a stream do not depend on its batch or its
// place in it. Written for AVX-512, AVX2 and portable vectors, chosen at run time.
//
// Why not oneDNN: one call of its matmul costs more than the whole step of a small layer, and its RNN
// primitives are slower still at one time step: tests/bench/cell_step_bench.cc measures both. Const methods
// are safe from any thread, each with a Scratch of its own.
class StepKernel {
 public:
  // weights.hidden may have any width P: that of the state h which the products take. peephole [3, H]:
  // weights of the cell state for i, f and o; kPeepholeLstm only.
  StepKernel(Gating gating, const RecurrentWeights& weights, const std::vector<float>& peephole = {});

  std::size_t inputs() const { return inputs_; }
  std::size_t units() const { return units_; }

  // x: B pointers to rows of I floats. states: B pointers to distinct states, h [H] and for an LSTM s [H]
  // behind it; changed in place. Requires P = H.
  void Step(const float* const* x, float* const* states, std::size_t batch, Scratch& scratch) const;

  // The same for any P: the states are h [P], then s [H]. h stays as it is; its successors before a
  // projection, o * tanh(s'), go to `hidden`, rows of padded_units() floats of which the first H count.
  void StepBeside(const float* const* x, float* const* states, float* hidden, std::size_t batch,
                  Scratch& scratch) const;
  std::size_t padded_units() const;  // H rounded up to whole vectors

 private:
  Gating gating_;
  std::size_t inputs_;
  std::size_t units_;
  std::size_t width_;  // P
  // For each panel of as many units as a vector holds: the four biases, the three peepholes if any, then for
  // each input and each hidden unit the weights of its gates; a vector each. Missing units of the last panel
  // are zero.
  std::vector<float> panels_;
};

}  // namespace tidegate
