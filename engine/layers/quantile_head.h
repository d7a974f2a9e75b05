#pragma once

#include <cstddef>

#include "engine/tensor/matrix.h"
#include "engine/tensor/packed_linear.h"

namespace tidegate {

// The last layer: a dense map to horizon x Q numbers a, turned into quantiles that never cross. With m the
// middle quantile (Q is odd) and softplus(v) = log(1 + exp(v)):
//   y_m = a_m      y_q = y_(q-1) + softplus(a_q) for q > m      y_q = y_(q+1) - softplus(a_q) for q < m
// Const methods are safe from any thread.
class QuantileHead {
 public:
  // weights [horizon*Q, H], bias [horizon*Q].
  QuantileHead(const float* weights, const float* bias, std::size_t horizon, std::size_t quantiles,
               std::size_t units);

  // hidden: pointers to B rows of H floats. quantiles [B, horizon, Q], rising in q.
  void Apply(const float* const* hidden, float* quantiles, std::size_t batch) const;

  // In place from a to y, for `rows` groups of Q. What Apply does after the product; also for training.
  static void Uncross(float* values, std::size_t rows, std::size_t quantiles);

  // In place from d loss / d y to d loss / d a; `y` are the values that Uncross gave.
  // Uses d softplus(v) / dv = 1 - exp(-softplus(v)), softplus(a_q) being the distance of neighbouring
  // quantiles.
  static void UncrossGradient(const float* y, float* gradient, std::size_t rows, std::size_t quantiles);

 private:
  PackedLinear linear_;
  std::size_t quantiles_;
};

}  // namespace tidegate
