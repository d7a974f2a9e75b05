#pragma once

#include <algorithm>
#include <cstddef>
#include <span>

namespace tidegate {

// The pinball loss of quantile q, q * e for e = target - forecast >= 0, else (q - 1) * e, the larger of both;
// its mean is least at the q-th quantile (Koenker & Bassett 1978, Econometrica 46).
// That of one target, summed over the quantiles. forecast [Q].
inline double Pinball(float target, std::span<const float> quantiles, const float* forecast) {
  double sum = 0;
  for (std::size_t q = 0; q < quantiles.size(); ++q) {
    const float error = target - forecast[q];
    sum +=
        std::max(quantiles[q] * error, (quantiles[q] - 1) * error);  // the sign cannot be guessed: no branch
  }
  return sum;
}

}  // namespace tidegate
