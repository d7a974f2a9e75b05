#include "engine/layers/quantile_head.h"

#include <algorithm>
#include <cmath>

#include "engine/tensor/elementwise.h"

namespace tidegate {
namespace {

// The derivative of softplus where it took the value `distance`.
float Slope(float distance) { return -std::expm1(-distance); }

}  // namespace

QuantileHead::QuantileHead(const float* weights, const float* bias, std::size_t horizon,
                           std::size_t quantiles, std::size_t units)
    : linear_(weights, bias, horizon * quantiles, units), quantiles_(quantiles) {}

void QuantileHead::Apply(const float* const* hidden, float* quantiles, std::size_t batch) const {
  linear_.Apply(hidden, quantiles, batch);
  Uncross(quantiles, batch * linear_.outputs() / quantiles_, quantiles_);
}

void QuantileHead::Uncross(float* values, std::size_t rows, std::size_t quantiles) {
  if (quantiles == 1) return;
  constexpr std::size_t kBuffer = 512;  // floats; a row has at most 99
  float distance[kBuffer];
  const std::size_t middle = quantiles / 2;
  const std::size_t rows_together = kBuffer / quantiles;
  for (std::size_t first = 0; first < rows; first += rows_together) {
    const std::size_t count = std::min(rows_together, rows - first);
    float* y = values + first * quantiles;
    std::copy_n(y, count * quantiles, distance);
    Softplus(distance,
             count * quantiles);  // of the middle ones in vain, which costs less than leaving them out
    for (std::size_t row = 0; row < count; ++row, y += quantiles) {
      const float* const d = distance + row * quantiles;
      for (std::size_t q = middle + 1; q < quantiles; ++q) y[q] = y[q - 1] + d[q];
      for (std::size_t q = middle; q-- > 0;) y[q] = y[q + 1] - d[q];
    }
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
