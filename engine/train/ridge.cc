#include "engine/train/ridge.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <numeric>

#include "engine/tensor/gemm.h"

namespace tidegate {
namespace {

constexpr std::size_t kWorthThreads = 256;  // inputs; fewer are solved sooner than threads are woken

// Eight at once is also one check for a sanitizer where eight loads are eight.
using Eight [[gnu::vector_size(64), gnu::aligned(alignof(double)), gnu::may_alias]] = double;

double Dot(const double* a, const double* b, std::size_t n) {
  Eight sums = {};
  std::size_t i = 0;
  for (; i + 8 <= n; i += 8)
    sums += *reinterpret_cast<const Eight*>(a + i) * *reinterpret_cast<const Eight*>(b + i);
  double sum = 0;
  for (; i < n; ++i) sum += a[i] * b[i];
  for (std::size_t j = 0; j < 8; ++j) sum += sums[j];
  return sum;
}

// a [n, n], positive definite: its lower triangle becomes l of a = l l'. A few columns after the other, so
// that the rows that all others need for them stay in the cache.
void Factorise(std::vector<double>& a, std::size_t n) {
  constexpr std::size_t kColumns = 32;
  for (std::size_t begin = 0; begin < n; begin += kColumns) {
    const std::size_t end = std::min(begin + kColumns, n);
    const auto fill = [&](std::size_t i, std::size_t columns) {
      double* const row = &a[i * n];
      for (std::size_t j = begin; j < columns; ++j) row[j] = (row[j] - Dot(row, &a[j * n], j)) / a[j * n + j];
    };
    for (std::size_t i = begin; i < end; ++i) {
      fill(i, i);
      double* const row = &a[i * n];
      row[i] = std::sqrt(std::max(row[i] - Dot(row, row, i), 1e-300));
    }
#pragma omp parallel for if (n >= kWorthThreads)
    for (std::size_t i = end; i < n; ++i) fill(i, end);
  }
}

// y becomes x of l l' x = y.
void SolveFactorised(const std::vector<double>& l, std::size_t n, std::vector<double>& y) {
  for (std::size_t i = 0; i < n; ++i) y[i] = (y[i] - Dot(&l[i * n], y.data(), i)) / l[i * n + i];
  for (std::size_t i = n; i-- > 0;) {
    y[i] /= l[i * n + i];
    const double* const row = &l[i * n];
    for (std::size_t j = 0; j < i; ++j) y[j] -= row[j] * y[i];
  }
}

}  // namespace

void RidgeSums::Add(const Matrix& x, const Matrix& y) {
  assert(x.cols == inputs_ && y.cols == outputs_ && x.rows == y.rows);
  Matrix product(inputs_, inputs_);
  Gemm(Transpose::kYes, Transpose::kNo, inputs_, inputs_, x.rows, x.data(), x.data(), product.data(), false);
  for (std::size_t i = 0; i < gram_.size(); ++i) gram_[i] += product.values[i];
  rows_ += static_cast<double>(x.rows);
  AddOutputs(x, y);
}

void RidgeSums::ClearOutputs() {
  std::ranges::fill(cross_, 0.0);
  std::ranges::fill(squares_, 0.0);
}

void RidgeSums::AddOutputs(const Matrix& x, const Matrix& y) {
  Matrix product(outputs_, inputs_);
  Gemm(Transpose::kYes, Transpose::kNo, outputs_, inputs_, x.rows, y.data(), x.data(), product.data(), false);
  for (std::size_t i = 0; i < cross_.size(); ++i) cross_[i] += product.values[i];
  for (std::size_t r = 0; r < y.rows; ++r) {
    for (std::size_t k = 0; k < outputs_; ++k) squares_[k] += static_cast<double>(y.row(r)[k]) * y.row(r)[k];
  }
}

void RidgeSums::Add(const RidgeSums& other) {
  for (std::size_t i = 0; i < gram_.size(); ++i) gram_[i] += other.gram_[i];
  for (std::size_t i = 0; i < cross_.size(); ++i) cross_[i] += other.cross_[i];
  for (std::size_t i = 0; i < squares_.size(); ++i) squares_[i] += other.squares_[i];
  rows_ += other.rows_;
}

RidgeSums RidgeSums::Part(std::size_t inputs, const std::vector<std::size_t>& outputs) const {
  RidgeSums part(inputs, outputs.size());
  const std::size_t first = inputs_ - inputs;
  for (std::size_t i = 0; i < inputs; ++i) {
    for (std::size_t j = 0; j < inputs; ++j)
      part.gram_[i * inputs + j] = gram_[(first + i) * inputs_ + first + j];
  }
  for (std::size_t k = 0; k < outputs.size(); ++k) {
    for (std::size_t i = 0; i < inputs; ++i)
      part.cross_[k * inputs + i] = cross_[outputs[k] * inputs_ + first + i];
    part.squares_[k] = squares_[outputs[k]];
  }
  part.rows_ = rows_;
  return part;
}

Matrix RidgeSums::Solve(double penalty, std::span<const double> dearness) const {
  assert(dearness.empty() || dearness.size() == inputs_);
  Matrix w(outputs_, inputs_);
  if (rows_ == 0) return w;
  std::vector<double> l = gram_;
  for (std::size_t i = 0; i < inputs_; ++i)
    l[i * inputs_ + i] += penalty * rows_ * (dearness.empty() ? 1 : dearness[i]);
  Factorise(l, inputs_);
#pragma omp parallel for if (inputs_ >= kWorthThreads)
  for (std::size_t k = 0; k < outputs_; ++k) {
    const auto* const cross = &cross_[k * inputs_];
    std::vector<double> row(cross, cross + inputs_);
    SolveFactorised(l, inputs_, row);
    for (std::size_t i = 0; i < inputs_; ++i) w.row(k)[i] = static_cast<float>(row[i]);
  }
  return w;
}

std::vector<double> RidgeSums::Errors(const Matrix& w) const {
  std::vector<double> errors = squares_;
  std::vector<double> row(inputs_);
  for (std::size_t k = 0; k < outputs_; ++k) {
    for (std::size_t i = 0; i < inputs_; ++i) row[i] = w.row(k)[i];
    errors[k] -= 2 * Dot(row.data(), &cross_[k * inputs_], inputs_);
    for (std::size_t i = 0; i < inputs_; ++i)
      errors[k] += row[i] * Dot(row.data(), &gram_[i * inputs_], inputs_);
    errors[k] = std::max(errors[k], 0.0);  // what fits exactly, but for rounding
  }
  return errors;
}

double RidgeSums::Error(const Matrix& w) const {
  const std::vector<double> errors = Errors(w);
  return std::accumulate(errors.begin(), errors.end(), 0.0);
}

}  // namespace tidegate
