#pragma once

#include <cstddef>

namespace tidegate {

// to [count] += from [count]
inline void Add(const float* from, std::size_t count, float* to) {
  for (std::size_t i = 0; i < count; ++i) to[i] += from[i];
}

}  // namespace tidegate
