#pragma once

#include <algorithm>

#include "engine/cells/layer.h"
#include "engine/cells/recurrent_weights.h"
#include "engine/cells/step_kernel.h"
#include "engine/tensor/tensors.h"

namespace tidegate {

// Gated recurrent unit with the reset gate applied after the product.
//   r = sigmoid(W_r x + b_r + U_r h + c_r)      n  = tanh(W_n x + b_n + r * (U_n h + c_n))
//   z = sigmoid(W_z x + b_z + U_z h + c_z)      h' = (1 - z) * n + z * h
// Source: Cho et al. 2014 (arXiv:1406.1078), the reset placed as in PyTorch's nn.GRU; oneDNN calls it
// lbr_gru. State of a stream: h [H].
class GruCell : public Layer {
 public:
  GruCell(const Tensors& tensors, Precision precision)
      : kernel_(Gating::kGru, RecurrentWeights(tensors), precision) {}

  std::size_t inputs() const override { return kernel_.inputs(); }
  std::size_t outputs() const override { return kernel_.units(); }
  std::size_t state_floats() const override { return kernel_.units(); }
  void Step(const float* const* x, float* const* states, const float** y, std::size_t batch,
            Scratch& scratch) const override {
    kernel_.Step({.x = x}, states, batch, scratch);
    std::copy_n(states, batch, y);
  }
  std::size_t sum_floats() const override { return kernel_.sum_floats(); }
  void InputSums(const float* const* x, float* sums, std::size_t rows, Scratch& scratch) const override {
    kernel_.InputSums(x, sums, rows, scratch);
  }
  void StepFromSums(const float* sums, float* const* states, const float** y, std::size_t batch,
                    Scratch& scratch) const override {
    kernel_.Step({.sums = sums}, states, batch, scratch);
    std::copy_n(states, batch, y);
  }

 private:
  StepKernel kernel_;
};

}  // namespace tidegate
