#pragma once

#include <cstddef>
#include <vector>

#include "engine/cells/recurrent_weights.h"
#include "engine/cells/step_kernel_isa.h"
#include "engine/tensor/precision.h"
#include "engine/tensor/scratch.h"

namespace tidegate {

enum class Gating { kGru, kLstm, kPeepholeLstm };

// The fused step of a GRU or LSTM layer: both products and the gates in one pass, the pre-activations never
// leaving the registers. For every stream and unit the terms of a gate are added in one order (bias, inputs,
// hidden state, each ascending) whatever the batch, so the bits of a stream do not depend on its batch or its
// place in it. Written for AVX-512, AVX2 and portable vectors, chosen at run time.
//
// Weights of less than f32 are multiplied in pairs of bf16, the operands x and h rounded to bf16 as well; the
// state itself and the sums stay f32. AVX-512 BF16 does two products at once; other
// sets split each pair again.
//
// Why not oneDNN: one call of its matmul costs more than the whole step of a small layer, and its RNN
// primitives are slower still at one time step: tests/bench/cell_step_bench.cc measures both. Const methods
// are safe from any thread, each with a Scratch of its own.
class StepKernel {
 public:
  // weights.hidden may have any width P: that of the state h which the products take. peephole [3, H]:
  // weights of the cell state for i, f and o; kPeepholeLstm only.
  // precision: that of the weights, see precision.h; requires that they are rounded to it.
  StepKernel(Gating gating, const RecurrentWeights& weights, Precision precision,
             const std::vector<float>& peephole = {});

  std::size_t inputs() const { return inputs_; }
  std::size_t units() const { return units_; }

  // What the streams of a batch read: B pointers to rows of I floats, or what InputSums made of them.
  struct Inputs {
    const float* const* x = nullptr;
    const float* sums = nullptr;  // [B, sum_floats()]
  };

  // states: B pointers to distinct states, h [H] and for an LSTM s [H] behind it; changed in place. Requires
  // P = H.
  void Step(const Inputs& inputs, float* const* states, std::size_t batch, Scratch& scratch) const;

  // The same for any P: the states are h [P], then s [H]. h stays as it is; its successors before a
  // projection, o * tanh(s'), go to `hidden`, rows of padded_units() floats of which the first H count.
  void StepBeside(const Inputs& inputs, float* const* states, float* hidden, std::size_t batch,
                  Scratch& scratch) const;
  std::size_t padded_units() const;  // H rounded up to whole vectors

  // sums [rows, sum_floats()]: bias and inputs of every gate, the first part of a step. A step from them
  // gives the bits of the whole one.
  void InputSums(const float* const* x, float* sums, std::size_t rows, Scratch& scratch) const;
  std::size_t sum_floats() const { return 4 * padded_units(); }

 private:
  struct Rows {  // of a batch, as in StepTask
    const float* const* x = nullptr;
    float* const* states = nullptr;
    float* sums = nullptr;
    float* hidden = nullptr;
  };
  void Run(StepPart part, const Rows& rows, std::size_t batch, Scratch& scratch) const;

  bool pairs() const { return precision_ != Precision::kF32; }
  // Operands of a run of inputs or hidden units: floats, or pairs of bf16.
  std::size_t Terms(std::size_t values) const { return pairs() ? (values + 1) / 2 : values; }
  // x and h of a chunk of rows, rounded.
  struct Operands {
    const float** x;  // [rows] pointers into `words`
    const float** h;  // [rows]
    float* words;     // [rows, stride]
    std::size_t stride;
  };
  Operands TakeOperands(std::size_t rows, Scratch& scratch) const;
  void SetOperands(const float* const* x, const Operands& operands, StepTask& task) const;

  Gating gating_;
  Precision precision_;
  std::size_t inputs_;
  std::size_t units_;
  std::size_t width_;  // P
  // For each panel of as many units as a vector holds: the four biases, the three peepholes if any, then for
  // each term of the inputs and each of the hidden state the weights of its gates; a vector each. Missing
  // units of the last panel are zero.
  std::vector<float> panels_;
};

}  // namespace tidegate
