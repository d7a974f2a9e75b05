#pragma once

#include "engine/cells/cell.h"
#include "engine/cells/recurrent_weights.h"
#include "engine/cells/step_kernel.h"

namespace tidegate {

// Long short-term memory with a forget gate.
//   i = sigmoid(W_i x + b_i + U_i h + c_i)      g = tanh(W_g x + b_g + U_g h + c_g)
//   f = sigmoid(W_f x + b_f + U_f h + c_f)      s' = f * s + i * g       (s: the cell state)
//   o = sigmoid(W_o x + b_o + U_o h + c_o)      h' = o * tanh(s')
// Source: Hochreiter & Schmidhuber 1997; forget gate: Gers et al. 2000; biases as in PyTorch's nn.LSTM.
// State of a stream: h [H], then s [H].
class LstmCell : public Cell {
 public:
  explicit LstmCell(const RecurrentWeights& weights)
      : kernel_(Gating::kLstm, weights) {}  // G = 4, order i, f, g, o

  std::size_t inputs() const override { return kernel_.inputs(); }
  std::size_t units() const override { return kernel_.units(); }
  std::size_t state_floats() const override { return 2 * units(); }
  void Step(const float* x, float* const* states, std::size_t batch, Workspace& workspace) const override {
    kernel_.Step(x, states, batch, workspace);
  }

 private:
  StepKernel kernel_;
};

}  // namespace tidegate
