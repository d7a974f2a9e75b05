#include "engine/stream/even_quantiles.h"

#include <algorithm>

namespace tidegate {

std::vector<float> EvenQuantiles(std::vector<float> values, std::size_t count) {
  std::sort(values.begin(), values.end());
  std::vector<float> quantiles(count);
  for (std::size_t i = 0; i < count; ++i) {
    const double position =
        static_cast<double>(i) / static_cast<double>(count - 1) * static_cast<double>(values.size() - 1);
    const auto below = static_cast<std::size_t>(position);
    const std::size_t above = std::min(below + 1, values.size() - 1);
    const auto part = static_cast<float>(position - static_cast<double>(below));
    // Rounding is not to take it beyond its neighbours.
    quantiles[i] =
        std::clamp(values[below] + part * (values[above] - values[below]), values[below], values[above]);
  }
  return quantiles;
}

}  // namespace tidegate
