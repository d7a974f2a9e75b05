#include "engine/train/pinball.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace tidegate {

double PinballGradient(const Matrix& targets, std::span<const float> quantiles, float scale,
                       Matrix& outputs) {
  double sum = 0;
  float* output = outputs.data();
  for (const float target : targets.values) {
    if (std::isnan(target)) {
      std::fill_n(output, quantiles.size(), 0.0f);
    } else {
      sum += Pinball(target, quantiles, output);
      for (std::size_t q = 0; q < quantiles.size(); ++q) {
        output[q] = scale * (target >= output[q] ? -quantiles[q] : 1 - quantiles[q]);
      }
    }
    output += quantiles.size();
  }
  return sum;
}

}  // namespace tidegate
