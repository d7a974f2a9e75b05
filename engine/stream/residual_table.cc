#include "engine/stream/residual_table.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <utility>

#include "engine/stream/even_quantiles.h"

namespace tidegate {

ResidualTable ResidualTable::From(std::vector<float> residuals) {
  std::erase_if(residuals, [](float r) { return std::isnan(r); });
  if (residuals.empty()) return {};
  const std::size_t count = residuals.size();
  return {EvenQuantiles(std::move(residuals), kLevels), count};
}

ResidualTable::ResidualTable(std::vector<float> quantiles, std::size_t count)
    : quantiles_(std::move(quantiles)), count_(count) {
  mean_ = std::accumulate(quantiles_.begin(), quantiles_.end(), 0.0f) / static_cast<float>(quantiles_.size());
}

float ResidualTable::Score(float residual) const {
  if (count_ == 0 || std::isnan(residual)) return std::numeric_limits<float>::quiet_NaN();
  const float size = std::abs(residual);
  const auto n = static_cast<float>(count_);
  if (size > quantiles_.back()) {
    const float ratio = quantiles_.back() / size;
    // The largest float below 1 keeps the promise that a score of 1 never comes.
    return std::min(1 - ratio * ratio / (n + 1), std::nextafter(1.0f, 0.0f));
  }
  // The first quantile that is not smaller, without branches that could go either way.
  std::size_t above = 0;
  for (std::size_t half = 64; half > 0; half /= 2) {
    above += above + half <= kLevels - 1 && quantiles_[above + half - 1] < size ? half : 0;
  }
  float level = static_cast<float>(above);
  if (above != 0) level -= (quantiles_[above] - size) / (quantiles_[above] - quantiles_[above - 1]);
  return level / (kLevels - 1) * n / (n + 1);
}

}  // namespace tidegate
