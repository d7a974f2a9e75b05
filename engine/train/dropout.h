#pragma once

#include <cstddef>
#include <vector>

#include "engine/train/random.h"

namespace tidegate {

// Leaves out a share of `values` and scales the rest so that their expectation stays (Srivastava et al.
// 2014). kept: set to what each value was multiplied by.
inline void Drop(float share, Random& random, std::vector<float>& values, std::vector<float>& kept) {
  kept.resize(values.size());
  const auto below = static_cast<std::size_t>(share * 65536.0f);
  const float factor = 1 / (1 - share);
  for (std::size_t i = 0; i < kept.size();) {
    std::uint64_t bits = random.Bits();  // enough for four
    for (std::size_t n = 0; n < 4 && i < kept.size(); ++n, ++i, bits >>= 16) {
      kept[i] = (bits & 0xffff) < below ? 0 : factor;
      values[i] *= kept[i];
    }
  }
}

}  // namespace tidegate
