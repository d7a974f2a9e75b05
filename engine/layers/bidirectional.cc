#include "engine/layers/bidirectional.h"

#include <algorithm>
#include <cassert>
#include <string>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "engine/layers/run_window.h"

namespace tidegate {
namespace {

constexpr absl::string_view kReverse = "_reverse";

// The blocks of `batch` rows in the opposite order.
void Reverse(const Matrix& from, std::size_t batch, Matrix& to) {
  to.Resize(from.rows, from.cols);
  for (std::size_t row = 0; row < from.rows; row += batch) {
    std::copy_n(from.row(row), batch * from.cols, to.row(from.rows - batch - row));
  }
}

Tensors Joined(const SequenceLayer& forward, const SequenceLayer& backward) {
  Tensors tensors = forward.parameters();
  for (const auto& [name, tensor] : backward.parameters()) tensors[name + std::string(kReverse)] = tensor;
  return tensors;
}

}  // namespace

Tensors OfDirection(const Tensors& tensors, bool reverse) {
  Tensors found;
  for (const auto& [name, tensor] : tensors) {
    if (absl::EndsWith(name, kReverse) != reverse) continue;
    found[name.substr(0, name.size() - (reverse ? kReverse.size() : 0))] = tensor;
  }
  return found;
}

void Bidirectional::Run(const float* const* x, std::size_t steps, std::size_t batch, Scratch& scratch,
                        const float** y, const float** summary) const {
  const std::size_t rows = steps * batch, ahead = forward_->outputs(), back = backward_->outputs();
  const float** const reversed = scratch.Take<const float*>(rows);
  const float** const ahead_rows = scratch.Take<const float*>(rows);
  const float** const back_rows = scratch.Take<const float*>(rows);
  float** const states = scratch.Take<float*>(batch);
  for (std::size_t t = 0; t < steps; ++t)
    std::copy_n(x + (steps - 1 - t) * batch, batch, reversed + t * batch);
  RunWindow(*forward_, x, steps, batch, scratch, ahead_rows, states);
  RunWindow(*backward_, reversed, steps, batch, scratch, back_rows, states);
  float* out = scratch.Take<float>((rows + batch) * (ahead + back));
  const auto join = [&](const float* first, const float* second) {
    float* const row = out;
    std::copy_n(first, ahead, row);
    std::copy_n(second, back, row + ahead);
    out += ahead + back;
    return row;
  };
  for (std::size_t t = 0; t < steps; ++t) {
    for (std::size_t b = 0; b < batch; ++b) {
      y[t * batch + b] = join(ahead_rows[t * batch + b], back_rows[(steps - 1 - t) * batch + b]);
    }
  }
  const std::size_t last = (steps - 1) * batch;
  for (std::size_t b = 0; b < batch; ++b) summary[b] = join(ahead_rows[last + b], back_rows[last + b]);
}

BidirectionalSequence::BidirectionalSequence(std::unique_ptr<SequenceLayer> forward,
                                             std::unique_ptr<SequenceLayer> backward)
    : SequenceLayer(Joined(*forward, *backward)),
      forward_(std::move(forward)),
      backward_(std::move(backward)) {}

const Matrix& BidirectionalSequence::Forward(const Matrix& x) {
  const std::size_t batch = state_.rows;
  forward_->parameters() = OfDirection(parameters_, false);
  backward_->parameters() = OfDirection(parameters_, true);
  forward_->Start(batch);
  backward_->Start(batch);
  Reverse(x, batch, reversed_);
  const Matrix& ahead = forward_->Forward(x);
  Matrix back;
  Reverse(backward_->Forward(reversed_), batch, back);
  output_.Resize(x.rows, outputs());
  for (std::size_t r = 0; r < x.rows; ++r) {
    std::copy_n(ahead.row(r), ahead.cols, output_.row(r));
    std::copy_n(back.row(r), back.cols, output_.row(r) + ahead.cols);
  }
  return output_;
}

void BidirectionalSequence::Backward(Matrix& d_y, Matrix* d_x, [[maybe_unused]] Matrix* d_first) {
  assert(d_first == nullptr);
  const std::size_t ahead = forward_->outputs(), batch = state_.rows;
  Matrix d_ahead(d_y.rows, ahead), d_back(d_y.rows, backward_->outputs()), d_reversed;
  for (std::size_t r = 0; r < d_y.rows; ++r) {
    std::copy_n(d_y.row(r), ahead, d_ahead.row(r));
    std::copy_n(d_y.row(r) + ahead, d_back.cols, d_back.row(r));
  }
  Reverse(d_back, batch, d_reversed);
  forward_->ClearGradients();
  backward_->ClearGradients();
  Matrix d_x_reversed;
  forward_->Backward(d_ahead, d_x, nullptr);
  backward_->Backward(d_reversed, d_x == nullptr ? nullptr : &d_x_reversed, nullptr);
  for (auto& [name, gradient] : gradients_) {
    const bool reverse = absl::EndsWith(name, kReverse);
    const std::string own = name.substr(0, name.size() - (reverse ? kReverse.size() : 0));
    const Tensor& from = (reverse ? *backward_ : *forward_).gradients().at(own);
    for (std::size_t i = 0; i < from.values.size(); ++i) gradient.values[i] += from.values[i];
  }
  if (d_x == nullptr) return;
  Matrix back;
  Reverse(d_x_reversed, batch, back);
  for (std::size_t i = 0; i < back.size(); ++i) d_x->values[i] += back.values[i];
}

}  // namespace tidegate
