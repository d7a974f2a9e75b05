#pragma once

#include <cstddef>
#include <memory>

#include "engine/cells/gate_rule.h"
#include "engine/cells/layer.h"
#include "engine/tensor/packed_linear.h"
#include "engine/tensor/tensors.h"

namespace tidegate {

// The step of a recurrent layer as two packed products and a rule, for the cells that StepKernel has no fused
// kernel for. Tensors: weight_ih [G*H, I], weight_hh [G*H, H], bias_ih and bias_hh [G*H] if they are there,
// and the rule's own. State of a stream: h [H], then the cell state s [H] if the rule has one. a = W x + b, u
// = U h + c:
//
// GLU-GRU, the candidate by a gated linear unit (Dauphin et al. 2017, arXiv:1612.08083) in place of tanh;
// gates r, z, v, g:
//   r = sigmoid(a_r + u_r)    z = sigmoid(a_z + u_z)    n = (a_v + r * u_v) * sigmoid(a_g + r * u_g)
//   h' = (1 - z) * n + z * h
//
// Layer-normalised GRU (Ba et al. 2016, arXiv:1607.06450, supplement); no b and c, the normalisations have
// biases; tensors norm_ih_gate, norm_hh_gate [2H], norm_ih_candidate, norm_hh_candidate [H], each .gain and
// .bias:
//   (r, z) = sigmoid(LN(a_rz) + LN(u_rz))    n = tanh(LN(a_n) + r * LN(u_n))    h' = (1 - z) * n + z * h
//
// Layer-normalised LSTM (the same, eq. 20-22); tensors norm_ih, norm_hh [4H], norm_cell [H], each .gain and
// .bias:
//   (i, f, g, o) = LN(a) + LN(u)    s' = sigmoid(f) * s + sigmoid(i) * tanh(g)
//   h' = sigmoid(o) * tanh(LN(s'))
class ProductCell : public Layer {
 public:
  ProductCell(std::unique_ptr<GateRule> rule, const Tensors& tensors);

  std::size_t inputs() const override { return input_.inputs(); }
  std::size_t outputs() const override { return rule_->units(); }
  std::size_t state_floats() const override { return rule_->units() * (rule_->has_cell() ? 2 : 1); }
  void Step(const float* const* x, float* const* states, const float** y, std::size_t batch,
            Scratch& scratch) const override;
  std::size_t sum_floats() const override { return input_.outputs(); }
  void InputSums(const float* const* x, float* sums, std::size_t rows, Scratch&) const override {
    input_.Apply(x, sums, rows);
  }
  void StepFromSums(const float* sums, float* const* states, const float** y, std::size_t batch,
                    Scratch& scratch) const override;

 private:
  std::unique_ptr<GateRule> rule_;
  PackedLinear input_;   // W, b
  PackedLinear hidden_;  // U, c
};

}  // namespace tidegate
