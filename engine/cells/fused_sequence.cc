#include "engine/cells/fused_sequence.h"

#include <algorithm>
#include <cassert>
#include <cstring>
#include <string>
#include <utility>

#include "engine/cells/gate_kernel_isa.h"
#include "engine/cells/weight_gradient.h"
#include "engine/tensor/elementwise.h"
#include "engine/tensor/gemm.h"

namespace tidegate {
namespace {

const GateFunctions& Gates() {
#if defined(__x86_64__)
  static const GateFunctions& chosen = []() -> const GateFunctions& {
    if (std::strcmp(InstructionSet(), "avx512_bf16") == 0) return avx512_bf16::kGateFunctions;
    if (std::strcmp(InstructionSet(), "avx512") == 0) return avx512::kGateFunctions;
    if (std::strcmp(InstructionSet(), "avx2") == 0) return avx2::kGateFunctions;
    return portable::kGateFunctions;
  }();
  return chosen;
#else
  return portable::kGateFunctions;
#endif
}

void AddTo(std::vector<float>& sums, const float* more, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) sums[i] += more[i];
}

}  // namespace

FusedSequence::FusedSequence(Tensors parameters)
    : SequenceLayer(std::move(parameters)),
      units_(parameters_.at("weight_hh").shape[1]),
      gates_(parameters_.at("weight_hh").shape[0] / units_) {}

const float* FusedSequence::Before(std::size_t row) const {
  if (row == 0) return lstm() ? first_cell_.data() : first_hidden_.data();
  return lstm() ? cells_.row(row - batch_) : output_.row(row - batch_);
}

void FusedSequence::LoadState() {
  first_hidden_.Resize(batch_, units_);
  first_cell_.Resize(lstm() ? batch_ : 0, units_);
  for (std::size_t b = 0; b < batch_; ++b) {
    std::copy_n(state_.row(b), units_, first_hidden_.row(b));
    if (lstm()) std::copy_n(state_.row(b) + units_, units_, first_cell_.row(b));
  }
}

void FusedSequence::StoreState() {
  const std::size_t last = output_.rows - batch_;
  for (std::size_t b = 0; b < batch_; ++b) {
    std::copy_n(output_.row(last + b), units_, state_.row(b));
    if (lstm()) std::copy_n(cells_.row(last + b), units_, state_.row(b) + units_);
  }
}

void FusedSequence::JoinBiases() {
  const auto bias_of = [this](const char* name) {
    const auto found = parameters_.find(name);
    return found == parameters_.end() ? std::vector<float>(gates_ * units_) : found->second.values;
  };
  bias_ = bias_of("bias_ih");
  const std::vector<float> hidden = bias_of("bias_hh");
  AddTo(bias_, hidden.data(), (lstm() ? 4 : 2) * units_);
  candidate_bias_.assign(hidden.begin() + static_cast<std::ptrdiff_t>(2 * units_),
                         hidden.begin() + static_cast<std::ptrdiff_t>(3 * units_));
}

const Matrix& FusedSequence::Forward(const Matrix& x) {
  batch_ = state_.rows;
  assert(batch_ > 0 && x.rows % batch_ == 0);
  x_ = &x;
  const std::size_t width = gates_ * units_;
  LoadState();
  JoinBiases();
  u_.Resize(batch_, width);
  tape_.Resize(x.rows, width);
  linear_.Resize(lstm() ? 0 : x.rows, units_);
  cells_.Resize(lstm() ? x.rows : 0, units_);
  output_.Resize(x.rows, units_);
  const float* const hidden_weights = parameters_.at("weight_hh").values.data();
  Gemm(Transpose::kNo, Transpose::kYes, x.rows, width, x.cols, x.data(),
       parameters_.at("weight_ih").values.data(), tape_.data(), false);
  const auto forward = lstm() ? Gates().lstm_forward : Gates().gru_forward;
  for (std::size_t row = 0; row < x.rows; row += batch_) {
    Gemm(Transpose::kNo, Transpose::kYes, batch_, width, units_,
         row == 0 ? first_hidden_.data() : output_.row(row - batch_), hidden_weights, u_.data(), false);
    forward({.rows = batch_,
             .units = units_,
             .tape = tape_.row(row),
             .u = u_.data(),
             .bias = bias_.data(),
             .candidate_bias = candidate_bias_.data(),
             .before = Before(row),
             .linear = lstm() ? nullptr : linear_.row(row),
             .cell = lstm() ? cells_.row(row) : nullptr,
             .out = output_.row(row)});
  }
  StoreState();
  return output_;
}

// d_h_ and d_s_ hold what comes from later steps, and are replaced.
void FusedSequence::BackwardStep(std::size_t row, const Matrix& d_y) {
  const auto backward = lstm() ? Gates().lstm_backward : Gates().gru_backward;
  backward({.rows = batch_,
            .units = units_,
            .tape = tape_.row(row),
            .before = Before(row),
            .cell = lstm() ? cells_.row(row) : nullptr,
            .linear = lstm() ? nullptr : linear_.row(row),
            .d_out = d_y.row(row),
            .d_out_stride = d_y.cols,
            .d_cell = d_y.cols > units_ ? d_y.row(row) + units_ : nullptr,
            .d_h = d_h_.data(),
            .d_s = d_s_.data(),
            .d_u = u_.data(),
            .d_bias = d_bias_.data(),
            .d_candidate = d_candidate_.data()});
  Gemm(Transpose::kNo, Transpose::kNo, batch_, units_, gates_ * units_, lstm() ? tape_.row(row) : u_.data(),
       parameters_.at("weight_hh").values.data(), d_h_.data(), !lstm());
}

void FusedSequence::AddWeightGradients() {
  const std::size_t width = gates_ * units_, joint = lstm() ? width : 2 * units_, rows = x_->rows;
  Gemm(Transpose::kYes, Transpose::kNo, width, x_->cols, rows, tape_.data(), x_->data(),
       gradients_.at("weight_ih").values.data(), true);
  float* const d_hidden = gradients_.at("weight_hh").values.data();
  const auto add = [&](std::size_t row, std::size_t count, const float* before) {
    Gemm(Transpose::kYes, Transpose::kNo, joint, units_, count, tape_.row(row), before, d_hidden, true,
         width);
    if (lstm() || count == 0) return;
    Gemm(Transpose::kYes, Transpose::kNo, units_, units_, count, linear_.row(row), before,
         d_hidden + joint * units_, true);
  };
  add(0, batch_, first_hidden_.data());
  add(batch_, rows - batch_, output_.data());
  const auto bias = gradients_.find("bias_ih");
  if (bias != gradients_.end()) AddTo(bias->second.values, d_bias_.data(), width);
  const auto hidden_bias = gradients_.find("bias_hh");
  if (hidden_bias == gradients_.end()) return;
  AddTo(hidden_bias->second.values, d_bias_.data(), joint);
  for (std::size_t j = 0; j < width - joint; ++j) hidden_bias->second.values[joint + j] += d_candidate_[j];
}

void FusedSequence::Backward(Matrix& d_y, Matrix* d_x, Matrix* d_first) {
  const std::size_t rows = x_->rows;
  assert(d_y.rows == rows && (d_y.cols == units_ || d_y.cols == state_floats()));
  d_h_.Resize(batch_, units_);
  std::ranges::fill(d_h_.values, 0.0f);
  d_s_.Resize(lstm() ? batch_ : 0, units_);
  std::ranges::fill(d_s_.values, 0.0f);
  d_bias_.assign(gates_ * units_, 0.0f);
  d_candidate_.assign(units_, 0.0f);
  for (std::size_t row = rows; row > 0;) BackwardStep(row -= batch_, d_y);
  AddWeightGradients();
  if (d_x != nullptr) BackThroughProduct(parameters_.at("weight_ih"), tape_, *d_x);
  if (d_first == nullptr) return;
  d_first->Resize(batch_, state_floats());
  for (std::size_t b = 0; b < batch_; ++b) {
    std::copy_n(d_h_.row(b), units_, d_first->row(b));
    if (lstm()) std::copy_n(d_s_.row(b), units_, d_first->row(b) + units_);
  }
}

}  // namespace tidegate
