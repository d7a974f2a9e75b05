#pragma once

#include <cstddef>
#include <vector>

#include "engine/cells/sequence_layer.h"
#include "engine/tensor/matrix.h"
#include "engine/tensor/tensors.h"

namespace tidegate {

// The sequence form of the plain GRU and LSTM, those that most models are made of: what RecurrentSequence
// computes with their rules, but with the gates of a whole step in one pass of vectors, and with a third of
// the memory: the gates take the place of the products that they come from, and their gradients theirs. So
// Backward may be called once after a Forward.
class FusedSequence : public SequenceLayer {
 public:
  // GRU if weight_ih has three rows for each unit, LSTM if four. No peepholes, no projection.
  explicit FusedSequence(Tensors parameters);

  std::size_t outputs() const override { return units_; }
  std::size_t state_floats() const override { return lstm() ? 2 * units_ : units_; }
  const Matrix& Forward(const Matrix& x) override;
  const float* cells() const override { return lstm() ? cells_.data() : nullptr; }
  void Backward(Matrix& d_y, Matrix* d_x, Matrix* d_first) override;

 private:
  bool lstm() const { return gates_ == 4; }
  const float* Before(std::size_t row) const;  // h of a GRU, s of an LSTM, before the step at `row`
  void LoadState();
  void StoreState();
  void JoinBiases();
  void BackwardStep(std::size_t row, const Matrix& d_y);
  void AddWeightGradients();

  std::size_t units_, gates_;
  std::size_t batch_ = 0;
  const Matrix* x_ = nullptr;
  std::vector<float> bias_, candidate_bias_;  // see GateForwardTask
  Matrix first_hidden_, first_cell_;          // [B, H] before the first step
  Matrix u_;                                  // [B, G*H]
  Matrix tape_;                               // [T*B, G*H]
  Matrix linear_;                             // GRU: [T*B, H]
  Matrix cells_;                              // LSTM: [T*B, H] after each step
  Matrix output_;                             // [T*B, H]
  Matrix d_h_, d_s_;                          // [B, H] with respect to the state, by way of later steps
  std::vector<float> d_bias_, d_candidate_;
};

}  // namespace tidegate
