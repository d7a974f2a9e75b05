#include "engine/layers/quantile_head.h"

#include <algorithm>
#include <cmath>

namespace tidegate {
namespace {

// log(1 + exp(v)) without overflow.
float Softplus(float v) { return std::max(v, 0.0f) + std::log1p(std::exp(-std::abs(v))); }

// The derivative of softplus where it took the value `distance`.
float Slope(float distance) { return -std::expm1(-distance); }

}  // namespace

QuantileHead::QuantileHead(const float* weights, const float* bias, std::size_t horizon,
                           std::size_t quantiles, std::size_t units)
    : linear_(weights, bias, horizon * quantiles, units), quantiles_(quantiles) {}

void QuantileHead::Apply(const float* hidden, float* quantiles, std::size_t batch,
                         PackedLinear::Scratch& scratch) const {
  linear_.Apply(hidden, quantiles, batch, scratch);
  Uncross(quantiles, batch * linear_.outputs() / quantiles_, quantiles_);
}

void QuantileHead::Uncross(float* values, std::size_t rows, std::size_t quantiles) {
  const std::size_t middle = quantiles / 2;
  for (float* y = values; y != values + rows * quantiles; y += quantiles) {
    for (std::size_t q = middle + 1; q < quantiles; ++q) y[q] = y[q - 1] + Softplus(y[q]);
    for (std::size_t q = middle; q-- > 0;) y[q] = y[q + 1] - Softplus(y[q]);
  }
}

void QuantileHead::UncrossGradient(const float* y, float* gradient, std::size_t rows, std::size_t quantiles) {
  const std::size_t middle = quantiles / 2;
  for (std::size_t row = 0; row < rows; ++row, y += quantiles, gradient += quantiles) {
    // A quantile carries along all those further out: `moved` is the sum of their gradients.
    float moved = 0;
    for (std::size_t q = quantiles - 1; q > middle; --q) {
      moved += gradient[q];
      gradient[q] = moved * Slope(y[q] - y[q - 1]);
    }
    gradient[middle] += moved;
    moved = 0;
    for (std::size_t q = 0; q < middle; ++q) {
      moved += gradient[q];
      gradient[q] = -moved * Slope(y[q + 1] - y[q]);
    }
    gradient[middle] += moved;
  }
}

}  // namespace tidegate
