#pragma once

#include <cstddef>
#include <vector>

#include "engine/cells/recurrent_weights.h"

namespace tidegate {

enum class Gating { kGru, kLstm };

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
  // Scratch memory of one thread, for any number of kernels.
  struct Scratch {
    std::vector<float> hidden;  // new hidden states of a chunk of streams
    bool backward =
        false;  // panels are walked from the other end every other step: their tail is still cached
  };

  StepKernel(Gating gating, const RecurrentWeights& weights);

  std::size_t inputs() const { return inputs_; }
  std::size_t units() const { return units_; }

  // x [B, I]: inputs. states: B pointers to distinct states, h [H] and for an LSTM s [H] behind it; changed
  // in place.
  void Step(const float* x, float* const* states, std::size_t batch, Scratch& scratch) const;

 private:
  Gating gating_;
  std::size_t inputs_;
  std::size_t units_;
  // For each panel of as many units as a vector holds: the four biases, then for each input and each hidden
  // unit the weights of its gates; a vector each. Missing units of the last panel are zero.
  std::vector<float> panels_;
};

}  // namespace tidegate
