#pragma once

#include <cstddef>

#include "engine/cells/recurrent_weights.h"
#include "engine/tensor/matrix.h"

namespace tidegate {

// Sequence form of LstmCell for training: T steps of B sequences, time-major (row t * B + b).
// The products with the inputs are one GEMM over the whole sequence.
struct LstmTape {
  std::size_t batch = 0;
  Matrix gates;   // [T*B, 4H]: i, f, g, o after their activations
  Matrix cell;    // [(T+1)*B, H]: the cell state before the first step, then after each
  Matrix hidden;  // [(T+1)*B, H]: h before the first step, then after each
};

// x [T*B, I]. state [B, 2H]: h and s before the first step; replaced by those after the last. Fills `tape`
// for LstmBackward; the outputs are the rows of tape.hidden from B on.
void LstmForward(const RecurrentWeights& weights, const Matrix& x, Matrix& state, LstmTape& tape);

// d_hidden [T*B, H]: gradient of the loss with respect to each step's output; destroyed. Adds to `gradient`
// (shaped as `weights`) and sets d_x [T*B, I] unless null. The gradient with respect to the first state is
// cut off.
void LstmBackward(const RecurrentWeights& weights, const Matrix& x, const LstmTape& tape, Matrix& d_hidden,
                  RecurrentWeights& gradient, Matrix* d_x);

}  // namespace tidegate
