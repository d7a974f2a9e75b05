#include "engine/cells/recurrent_sequence.h"

#include <algorithm>
#include <cassert>
#include <utility>

#include "engine/cells/weight_gradient.h"
#include "engine/tensor/gemm.h"

namespace tidegate {

RecurrentSequence::RecurrentSequence(std::unique_ptr<GateRule> rule, Tensors parameters)
    : SequenceLayer(std::move(parameters)), rule_(std::move(rule)) {}

void RecurrentSequence::LoadState() {
  for (std::size_t b = 0; b < batch_; ++b) {
    std::copy_n(state_.row(b), hidden_.cols, hidden_.row(b));
    if (rule_->has_cell()) std::copy_n(state_.row(b) + hidden_.cols, cell_.cols, cell_.row(b));
  }
}

void RecurrentSequence::StoreState(std::size_t row) {
  for (std::size_t b = 0; b < batch_; ++b) {
    std::copy_n(hidden_.row(row + b), hidden_.cols, state_.row(b));
    if (rule_->has_cell()) std::copy_n(cell_.row(row + b), cell_.cols, state_.row(b) + hidden_.cols);
  }
}

const Matrix& RecurrentSequence::Forward(const Matrix& x) {
  const std::size_t units = rule_->units(), floats = rule_->gates() * units, width = outputs();
  batch_ = state_.rows;
  assert(batch_ > 0 && x.rows % batch_ == 0);
  x_ = &x;
  rule_->SetWeights(parameters_);
  tape_.Resize(x.rows, rule_->tape_floats());
  hidden_.Resize(x.rows + batch_, width);
  cell_.Resize(rule_->has_cell() ? x.rows + batch_ : 0, units);
  unprojected_.Resize(projected() ? x.rows : 0, units);
  hidden_product_.Resize(x.rows, floats);
  LoadState();
  Product(parameters_, "weight_ih", "bias_ih", x.data(), x.rows, input_product_);
  Matrix u;
  for (std::size_t row = 0; row < x.rows; row += batch_) {
    const std::size_t next = row + batch_;
    Product(parameters_, "weight_hh", "bias_hh", hidden_.row(row), batch_, u);
    std::copy_n(u.data(), u.size(), hidden_product_.row(row));
    for (std::size_t b = 0; b < batch_; ++b) {
      const float* const s = rule_->has_cell() ? cell_.row(row + b) : nullptr;
      float* const s_next = rule_->has_cell() ? cell_.row(next + b) : nullptr;
      float* const out = projected() ? unprojected_.row(row + b) : hidden_.row(next + b);
      rule_->Forward(input_product_.row(row + b), hidden_product_.row(row + b), hidden_.row(row + b), s,
                     tape_.row(row + b), out, s_next);
    }
    if (!projected()) continue;
    Gemm(Transpose::kNo, Transpose::kYes, batch_, width, units, unprojected_.row(row),
         parameters_.at("weight_hr").values.data(), hidden_.row(next), false);
  }
  StoreState(x.rows);
  output_.Resize(x.rows, width);
  std::copy_n(hidden_.row(batch_), output_.size(), output_.data());
  return output_;
}

// One step back: rows [row, row + B). d_h_ and d_s_ hold what comes from later steps, and are replaced.
void RecurrentSequence::BackwardRows(std::size_t row, const Matrix& d_y) {
  const std::size_t units = rule_->units(), width = outputs();
  const bool whole_state = d_y.cols > width;
  for (std::size_t b = 0; b < batch_; ++b) {
    const float* const d = d_y.row(row + b);
    for (std::size_t j = 0; j < width; ++j) d_out_.row(row + b)[j] = d_h_.row(b)[j] + d[j];
    for (std::size_t j = 0; whole_state && j < units; ++j) d_s_.row(b)[j] += d[width + j];
  }
  if (projected()) {
    Gemm(Transpose::kNo, Transpose::kNo, batch_, units, width, d_out_.row(row),
         parameters_.at("weight_hr").values.data(), d_unprojected_.data(), false);
  }
  for (std::size_t b = 0; b < batch_; ++b) {
    const bool cell = rule_->has_cell();
    const float* const d_out = projected() ? d_unprojected_.row(b) : d_out_.row(row + b);
    rule_->Backward(input_product_.row(row + b), hidden_product_.row(row + b), hidden_.row(row + b),
                    cell ? cell_.row(row + b) : nullptr, tape_.row(row + b),
                    cell ? cell_.row(row + batch_ + b) : nullptr, d_out, cell ? d_s_.row(b) : nullptr,
                    d_input_.row(row + b), d_hidden_.row(row + b),
                    projected() ? d_unused_.row(0) : d_h_.row(b), gradients_);
  }
  if (projected()) std::ranges::fill(d_h_.values, 0.0f);
  Gemm(Transpose::kNo, Transpose::kNo, batch_, width, d_hidden_.cols, d_hidden_.row(row),
       parameters_.at("weight_hh").values.data(), d_h_.data(), true);
}

void RecurrentSequence::Backward(Matrix& d_y, Matrix* d_x, Matrix* d_first) {
  const std::size_t units = rule_->units(), floats = rule_->gates() * units, width = outputs(),
                    rows = x_->rows;
  assert(d_y.rows == rows && (d_y.cols == width || d_y.cols == state_floats()));
  d_input_.Resize(rows, floats);
  d_hidden_.Resize(rows, floats);
  d_out_.Resize(rows, width);
  d_unprojected_.Resize(batch_, units);
  d_unused_.Resize(1, units);
  d_h_ = Matrix(batch_, width);
  d_s_ = Matrix(rule_->has_cell() ? batch_ : 0, units);
  for (std::size_t row = rows; row > 0;) BackwardRows(row -= batch_, d_y);

  AddProductGradient("weight_ih", "bias_ih", x_->data(), d_input_, gradients_);
  AddProductGradient("weight_hh", "bias_hh", hidden_.data(), d_hidden_, gradients_);
  if (projected()) AddProductGradient("weight_hr", "", unprojected_.data(), d_out_, gradients_);
  if (d_x != nullptr) BackThroughProduct(parameters_.at("weight_ih"), d_input_, *d_x);
  if (d_first == nullptr) return;
  d_first->Resize(batch_, state_floats());
  for (std::size_t b = 0; b < batch_; ++b) {
    std::copy_n(d_h_.row(b), width, d_first->row(b));
    if (rule_->has_cell()) std::copy_n(d_s_.row(b), units, d_first->row(b) + width);
  }
}

}  // namespace tidegate
