#pragma once

#include <memory>

#include "engine/cells/layer.h"
#include "engine/cells/step_kernel.h"
#include "engine/tensor/packed_linear.h"
#include "engine/tensor/tensors.h"

namespace tidegate {

// Long short-term memory with a forget gate.
//   i = sigmoid(W_i x + b_i + U_i h + c_i + p_i * s)     g = tanh(W_g x + b_g + U_g h + c_g)
//   f = sigmoid(W_f x + b_f + U_f h + c_f + p_f * s)     s' = f * s + i * g       (s: the cell state)
//   o = sigmoid(W_o x + b_o + U_o h + c_o + p_o * s')    h' = R (o * tanh(s'))
// The peepholes p and the projection R are each optional. Source: Hochreiter & Schmidhuber 1997; forget gate:
// Gers et al. 2000; peepholes: Gers et al. 2002; projection: Sak et al. 2014 (arXiv:1402.1128); biases as in
// PyTorch's nn.LSTM. Tensors: weight_ih, weight_hh, bias_ih, bias_hh, and peephole, weight_hr if they are
// there (layer_spec.h). State of a stream: h [P], then s [H]; P = H without a projection.
class LstmCell : public Layer {
 public:
  LstmCell(const Tensors& tensors, Precision precision);

  std::size_t inputs() const override { return kernel_.inputs(); }
  std::size_t outputs() const override { return projection_ ? projection_->outputs() : kernel_.units(); }
  std::size_t state_floats() const override { return outputs() + kernel_.units(); }
  void Step(const float* const* x, float* const* states, const float** y, std::size_t batch,
            Scratch& scratch) const override {
    Advance({.x = x}, states, y, batch, scratch);
  }
  std::size_t sum_floats() const override { return kernel_.sum_floats(); }
  void InputSums(const float* const* x, float* sums, std::size_t rows, Scratch& scratch) const override {
    kernel_.InputSums(x, sums, rows, scratch);
  }
  void StepFromSums(const float* sums, float* const* states, const float** y, std::size_t batch,
                    Scratch& scratch) const override {
    Advance({.sums = sums}, states, y, batch, scratch);
  }

 private:
  void Advance(const StepKernel::Inputs& inputs, float* const* states, const float** y, std::size_t batch,
               Scratch& scratch) const;

  StepKernel kernel_;
  std::unique_ptr<const PackedLinear> projection_;  // null: none
};

}  // namespace tidegate
