#pragma once

#include <cstddef>
#include <memory>

#include "engine/cells/gate_rule.h"
#include "engine/cells/sequence_layer.h"
#include "engine/tensor/matrix.h"
#include "engine/tensor/tensors.h"

namespace tidegate {

// The sequence form of every recurrent layer that a GateRule describes: the product with the inputs is one
// GEMM over the whole sequence, that with the state one for each step; Backward is back-propagation through
// time. Tensors as in the step form: weight_ih, weight_hh, bias_ih and bias_hh if they are there, weight_hr
// if the output is projected (lstm.h), and the rule's own.
class RecurrentSequence : public SequenceLayer {
 public:
  RecurrentSequence(std::unique_ptr<GateRule> rule, Tensors parameters);

  std::size_t outputs() const override { return parameters_.at("weight_hh").shape[1]; }
  std::size_t state_floats() const override { return outputs() + (rule_->has_cell() ? rule_->units() : 0); }
  const Matrix& Forward(const Matrix& x) override;
  const float* cells() const override { return rule_->has_cell() ? cell_.row(batch_) : nullptr; }
  void Backward(Matrix& d_y, Matrix* d_x, Matrix* d_first) override;

 private:
  bool projected() const { return parameters_.contains("weight_hr"); }
  void LoadState();
  void StoreState(std::size_t row);
  void BackwardRows(std::size_t row, const Matrix& d_y);

  std::unique_ptr<GateRule> rule_;
  std::size_t batch_ = 0;
  const Matrix* x_ = nullptr;
  Matrix input_product_;   // [T*B, G*H]: W x + b
  Matrix hidden_product_;  // [T*B, G*H]: U h + c
  Matrix tape_;            // [T*B, tape floats of the rule]
  Matrix hidden_;          // [(T+1)*B, P]: h before the first step, then after each
  Matrix cell_;            // [(T+1)*B, H] or empty: s, likewise
  Matrix unprojected_;     // [T*B, H]: o * tanh(s') of a projected layer
  Matrix output_;          // [T*B, P]

  Matrix d_input_;        // [T*B, G*H]
  Matrix d_hidden_;       // [T*B, G*H]
  Matrix d_out_;          // [T*B, P]: with respect to h after each step
  Matrix d_unprojected_;  // [B, H]
  Matrix d_unused_;       // [1, H]: a projected output is not h, so nothing reaches h past U
  Matrix d_h_;            // [B, P]: with respect to h before the step, by way of that step
  Matrix d_s_;            // [B, H]: with respect to s
};

}  // namespace tidegate
