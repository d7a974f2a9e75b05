#pragma once

#include <cstddef>
#include <vector>

#include "engine/layers/quantile_head.h"
#include "engine/tensor/matrix.h"

namespace tidegate {

// Gradients of a quantile head of which the median alone shapes the layers below: the other levels learn
// their distances from what the layers tell anyway, and a point forecast is as good as one trained without
// them.
class MedianFirst {
 public:
  // outputs, d_outputs [R, n*Q]: as QuantileHead::UncrossGradient takes them. d_outputs: set to the gradient
  // of the head's product, for its weights.
  MedianFirst(const Matrix& outputs, std::size_t quantiles, Matrix& d_outputs) : quantiles_(quantiles) {
    const std::size_t middle = quantiles / 2;
    std::vector<float> own;  // without what the distances carry to the median
    for (std::size_t i = middle; i < d_outputs.size(); i += quantiles) own.push_back(d_outputs.values[i]);
    QuantileHead::UncrossGradient(outputs.data(), d_outputs.data(), d_outputs.size() / quantiles, quantiles);
    for (std::size_t i = 0; i < own.size(); ++i) d_outputs.values[i * quantiles + middle] = own[i];
  }

  // Leaves of d_outputs what reaches the layers below.
  void KeepMedian(Matrix& d_outputs) const {
    for (std::size_t i = 0; i < d_outputs.size(); ++i) {
      if (i % quantiles_ != quantiles_ / 2) d_outputs.values[i] = 0;
    }
  }

 private:
  std::size_t quantiles_;
};

}  // namespace tidegate
