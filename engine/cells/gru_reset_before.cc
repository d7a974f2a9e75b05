#include "engine/cells/gru_reset_before.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/cells/weight_gradient.h"
#include "engine/tensor/elementwise.h"
#include "engine/tensor/gemm.h"

namespace tidegate {
namespace {

// Rows [from, from + count) gates of a product, packed.
PackedLinear PackGates(const Tensors& tensors, const char* weight_name, const char* bias_name,
                       std::size_t from, std::size_t count) {
  const Tensor& weight = tensors.at(weight_name);
  const std::size_t units = weight.shape[0] / 3, width = weight.shape[1];
  return {weight.values.data() + from * units * width, tensors.at(bias_name).values.data() + from * units,
          count * units, width};
}

}  // namespace

GruResetBeforeCell::GruResetBeforeCell(const Tensors& tensors)
    : input_(PackGates(tensors, "weight_ih", "bias_ih", 0, 3)),
      gates_(PackGates(tensors, "weight_hh", "bias_hh", 0, 2)),
      candidate_(PackGates(tensors, "weight_hh", "bias_hh", 2, 1)) {}

void GruResetBeforeCell::Step(const float* const* x, float* const* states, const float** y, std::size_t batch,
                              Scratch& scratch) const {
  float* const a = scratch.Take<float>(batch * sum_floats());
  input_.Apply(x, a, batch);
  StepFromSums(a, states, y, batch, scratch);
}

void GruResetBeforeCell::StepFromSums(const float* a, float* const* states, const float** y,
                                      std::size_t batch, Scratch& scratch) const {
  const std::size_t units = outputs();
  float* const gate = scratch.Take<float>(batch * 2 * units);
  float* const reset = scratch.Take<float>(batch * units);
  float* const n = scratch.Take<float>(batch * units);
  const float** const reset_rows = scratch.Take<const float*>(batch);
  std::copy_n(states, batch, y);
  gates_.Apply(y, gate, batch);
  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t j = 0; j < 2 * units; ++j) gate[b * 2 * units + j] += a[b * 3 * units + j];
  }
  Sigmoid(gate, batch * 2 * units);
  for (std::size_t b = 0; b < batch; ++b) {
    reset_rows[b] = reset + b * units;
    for (std::size_t j = 0; j < units; ++j) reset[b * units + j] = gate[b * 2 * units + j] * states[b][j];
  }
  candidate_.Apply(reset_rows, n, batch);
  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t j = 0; j < units; ++j) n[b * units + j] += a[b * 3 * units + 2 * units + j];
  }
  Tanh(n, batch * units);
  for (std::size_t b = 0; b < batch; ++b) {
    const float* const z = gate + b * 2 * units + units;
    for (std::size_t j = 0; j < units; ++j) {
      states[b][j] = n[b * units + j] + z[j] * (states[b][j] - n[b * units + j]);
    }
  }
}

GruResetBeforeSequence::GruResetBeforeSequence(Tensors parameters) : SequenceLayer(std::move(parameters)) {}

const Matrix& GruResetBeforeSequence::Forward(const Matrix& x) {
  const std::size_t units = outputs(), batch = state_.rows;
  x_ = &x;
  hidden_.Resize(x.rows + batch, units);
  reset_.Resize(x.rows, units);
  std::copy_n(state_.data(), state_.size(), hidden_.data());
  Product(parameters_, "weight_ih", "bias_ih", x.data(), x.rows, gates_);
  const float* const weight = parameters_.at("weight_hh").values.data();
  const std::vector<float>& c = parameters_.at("bias_hh").values;
  Matrix u(batch, 2 * units), v(batch, units);
  for (std::size_t row = 0; row < x.rows; row += batch) {
    Gemm(Transpose::kNo, Transpose::kYes, batch, 2 * units, units, hidden_.row(row), weight, u.data(), false);
    for (std::size_t b = 0; b < batch; ++b) {
      float* const gate = gates_.row(row + b);
      for (std::size_t j = 0; j < 2 * units; ++j) gate[j] += u.row(b)[j] + c[j];
      Sigmoid(gate, 2 * units);
      for (std::size_t j = 0; j < units; ++j) reset_.row(row + b)[j] = gate[j] * hidden_.row(row + b)[j];
    }
    Gemm(Transpose::kNo, Transpose::kYes, batch, units, units, reset_.row(row), weight + 2 * units * units,
         v.data(), false);
    for (std::size_t b = 0; b < batch; ++b) {
      const float* const z = gates_.row(row + b) + units;
      float* const n = gates_.row(row + b) + 2 * units;
      for (std::size_t j = 0; j < units; ++j) n[j] += v.row(b)[j] + c[2 * units + j];
      Tanh(n, units);
      const float* const h = hidden_.row(row + b);
      float* const next = hidden_.row(row + batch + b);
      for (std::size_t j = 0; j < units; ++j) next[j] = n[j] + z[j] * (h[j] - n[j]);
    }
  }
  std::copy_n(hidden_.row(x.rows), state_.size(), state_.data());
  output_.Resize(x.rows, units);
  std::copy_n(hidden_.row(batch), output_.size(), output_.data());
  return output_;
}

void GruResetBeforeSequence::Backward(Matrix& d_y, Matrix* d_x, Matrix* d_first) {
  const std::size_t units = outputs(), batch = state_.rows, rows = x_->rows;
  const float* const weight = parameters_.at("weight_hh").values.data();
  Matrix d_a(rows, 3 * units), d_gate(rows, 2 * units), d_candidate(rows, units);
  Matrix d_h(batch, units), d_reset(batch, units);
  for (std::size_t row = rows; row > 0;) {
    row -= batch;
    for (std::size_t b = 0; b < batch; ++b) {
      const float* const z = gates_.row(row + b) + units;
      const float* const n = gates_.row(row + b) + 2 * units;
      const float* const h = hidden_.row(row + b);
      for (std::size_t j = 0; j < units; ++j) {
        const float d = d_h.row(b)[j] + d_y.row(row + b)[j];
        d_candidate.row(row + b)[j] = d_a.row(row + b)[2 * units + j] = d * (1 - z[j]) * (1 - n[j] * n[j]);
        d_gate.row(row + b)[units + j] = d * (h[j] - n[j]) * z[j] * (1 - z[j]);
        d_h.row(b)[j] = d * z[j];
      }
    }
    Gemm(Transpose::kNo, Transpose::kNo, batch, units, units, d_candidate.row(row),
         weight + 2 * units * units, d_reset.data(), false);
    for (std::size_t b = 0; b < batch; ++b) {
      const float* const r = gates_.row(row + b);
      for (std::size_t j = 0; j < units; ++j) {
        d_gate.row(row + b)[j] = d_reset.row(b)[j] * hidden_.row(row + b)[j] * r[j] * (1 - r[j]);
        d_h.row(b)[j] += d_reset.row(b)[j] * r[j];
      }
      std::copy_n(d_gate.row(row + b), 2 * units, d_a.row(row + b));
    }
    Gemm(Transpose::kNo, Transpose::kNo, batch, units, 2 * units, d_gate.row(row), weight, d_h.data(), true);
  }
  AddProductGradient("weight_ih", "bias_ih", x_->data(), d_a, gradients_);
  float* const d_weight = gradients_.at("weight_hh").values.data();
  Gemm(Transpose::kYes, Transpose::kNo, 2 * units, units, rows, d_gate.data(), hidden_.data(), d_weight,
       true);
  Gemm(Transpose::kYes, Transpose::kNo, units, units, rows, d_candidate.data(), reset_.data(),
       d_weight + 2 * units * units, true);
  AddColumnSums(d_a, gradients_.at("bias_hh").values);  // c stands beside b in every sum
  if (d_x != nullptr) BackThroughProduct(parameters_.at("weight_ih"), d_a, *d_x);
  if (d_first != nullptr) *d_first = d_h;
}

}  // namespace tidegate
