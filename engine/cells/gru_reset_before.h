#pragma once

#include <cstddef>

#include "engine/cells/layer.h"
#include "engine/cells/sequence_layer.h"
#include "engine/tensor/matrix.h"
#include "engine/tensor/packed_linear.h"
#include "engine/tensor/tensors.h"

namespace tidegate {

// Gated recurrent unit with the reset gate applied before the product, as first published.
//   r = sigmoid(W_r x + b_r + U_r h + c_r)      n  = tanh(W_n x + b_n + U_n (r * h) + c_n)
//   z = sigmoid(W_z x + b_z + U_z h + c_z)      h' = (1 - z) * n + z * h
// Source: Cho et al. 2014 (arXiv:1406.1078), whose z is our 1 - z; Keras' reset_after=False. Tensors and gate
// order as GruCell's. State of a stream: h [H].
class GruResetBeforeCell : public Layer {
 public:
  explicit GruResetBeforeCell(const Tensors& tensors);

  std::size_t inputs() const override { return input_.inputs(); }
  std::size_t outputs() const override { return candidate_.outputs(); }
  std::size_t state_floats() const override { return candidate_.outputs(); }
  void Step(const float* const* x, float* const* states, const float** y, std::size_t batch,
            Scratch& scratch) const override;
  std::size_t sum_floats() const override { return input_.outputs(); }
  void InputSums(const float* const* x, float* sums, std::size_t rows, Scratch&) const override {
    input_.Apply(x, sums, rows);
  }
  void StepFromSums(const float* sums, float* const* states, const float** y, std::size_t batch,
                    Scratch& scratch) const override;

 private:
  PackedLinear input_;      // W, b of all gates
  PackedLinear gates_;      // U, c of r and z
  PackedLinear candidate_;  // U, c of n
};

// Its sequence form.
class GruResetBeforeSequence : public SequenceLayer {
 public:
  explicit GruResetBeforeSequence(Tensors parameters);

  std::size_t outputs() const override { return parameters_.at("weight_hh").shape[1]; }
  std::size_t state_floats() const override { return outputs(); }
  const Matrix& Forward(const Matrix& x) override;
  void Backward(Matrix& d_y, Matrix* d_x, Matrix* d_first) override;

 private:
  const Matrix* x_ = nullptr;
  Matrix gates_;   // [T*B, 3H]: r, z, n after their activations
  Matrix hidden_;  // [(T+1)*B, H]: h before the first step, then after each
  Matrix reset_;   // [T*B, H]: r * h
  Matrix output_;  // [T*B, H]
};

}  // namespace tidegate
