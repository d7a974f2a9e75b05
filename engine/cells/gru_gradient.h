#pragma once

#include <cstddef>

#include "engine/cells/recurrent_weights.h"
#include "engine/tensor/matrix.h"

namespace tidegate {

// Sequence form of GruCell for training: T steps of B sequences, time-major (row t * B + b).
// The products with the inputs are one GEMM over the whole sequence.
struct GruTape {
  std::size_t batch = 0;
  Matrix gates;           // [T*B, 3H]: r, z, n after their activations
  Matrix hidden_product;  // [T*B, H]: U_n h + c_n, before the reset
  Matrix hidden;          // [(T+1)*B, H]: h before the first step, then after each
};

// x [T*B, I]. state [B, H]: h before the first step; replaced by h after the last. Fills `tape` for
// GruBackward; the outputs are the rows of tape.hidden from B on.
void GruForward(const RecurrentWeights& weights, const Matrix& x, Matrix& state, GruTape& tape);

// d_hidden [T*B, H]: gradient of the loss with respect to each step's output; destroyed. Adds to `gradient`
// (shaped as `weights`) and sets d_x [T*B, I] unless null. The gradient with respect to the first state is
// cut off (truncated back-propagation through time).
void GruBackward(const RecurrentWeights& weights, const Matrix& x, const GruTape& tape, Matrix& d_hidden,
                 RecurrentWeights& gradient, Matrix* d_x);

}  // namespace tidegate
