#include "engine/stream/residual_table.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
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
  const auto n = static_cast<float>(count);
  share_ = n / (n + 1) / (kLevels - 1);
  static_assert(kBlock * kBlocks > kLevels);
  blocks_.fill(std::numeric_limits<float>::infinity());
  std::copy(quantiles_.begin(), quantiles_.end(), blocks_.begin());
  for (std::size_t b = 0; b < kBlocks; ++b) tops_[b] = blocks_[(b + 1) * kBlock - 1];
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
  const std::size_t above = CountBelow(size);  // the first quantile that is not smaller
  float level = static_cast<float>(above);
  if (above != 0) level -= (blocks_[above] - size) / (blocks_[above] - blocks_[above - 1]);
  return level * share_;
}

std::size_t ResidualTable::CountBelow(float size) const {
  std::int32_t block = 0, within = 0;
  for (std::size_t b = 0; b < kBlocks; ++b) block += tops_[b] < size ? 1 : 0;
  const float* const values = blocks_.data() + static_cast<std::size_t>(block) * kBlock;
  for (std::size_t i = 0; i < kBlock; ++i) within += values[i] < size ? 1 : 0;
  return static_cast<std::size_t>(block) * kBlock + static_cast<std::size_t>(within);
}

}  // namespace tidegate
