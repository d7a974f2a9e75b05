#include "engine/backtest/seasonal_naive.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>

#include "engine/train/spread_rows.h"

namespace tidegate {
namespace {

constexpr std::size_t kFewestPairs = 20, kMostPairs = 50'000;

// value(t) - value(t - lag) of the rows before the test part; of very many every so manieth.
std::vector<float> Differences(std::span<const Target> pieces, std::size_t lag) {
  std::size_t rows = 0;
  for (const Target& piece : pieces) rows += piece.from;
  const std::size_t stride = 1 + rows / kMostPairs;
  std::vector<float> differences;
  differences.reserve(rows / stride);
  for (const Target& piece : pieces) {
    const SpreadRows spread(lag, piece.from, stride);
    for (std::size_t k = 0; k < spread.size(); ++k) {
      const std::size_t t = spread[k];
      const float difference = piece.values[t] - piece.values[t - lag];
      if (!std::isnan(difference)) differences.push_back(difference);
    }
  }
  return differences;
}

// Linear between the sorted values, as numpy's quantile.
float QuantileOf(const std::vector<float>& sorted, double level) {
  const double place = level * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(place);
  const float low = sorted[below], high = sorted[std::min(below + 1, sorted.size() - 1)];
  return low + static_cast<float>(place - static_cast<double>(below)) * (high - low);
}

}  // namespace

SeasonalNaive::SeasonalNaive(std::span<const Target> pieces, std::size_t season, std::size_t horizon,
                             std::vector<float> levels)
    : season_(season), levels_(std::move(levels)) {
  const std::vector<float> first = Differences(pieces, season);
  for (const float difference : first) scale_ += std::abs(difference);
  scale_ =
      first.empty() ? std::numeric_limits<double>::quiet_NaN() : scale_ / static_cast<double>(first.size());
  for (std::size_t seasons = 1; (seasons - 1) * season < horizon; ++seasons) {
    std::vector<float>& offsets = offsets_.emplace_back();
    std::vector<float> differences = Differences(pieces, seasons * season);
    if (differences.size() < kFewestPairs) continue;
    std::ranges::sort(differences);
    for (const float level : levels_) offsets.push_back(QuantileOf(differences, level));
  }
}

float SeasonalNaive::Forecast(const Target& target, std::size_t t, std::size_t step) const {
  for (std::size_t back = (step + season_ - 1) / season_ * season_; back <= t + step; back += season_) {
    const float value = target.values[t + step - back];
    if (!std::isnan(value)) return value;
  }
  return target.known[t];
}

bool SeasonalNaive::Quantiles(float forecast, std::size_t step, std::span<float> quantiles) const {
  const std::vector<float>& offsets = offsets_[(step - 1) / season_];
  for (std::size_t q = 0; q < offsets.size(); ++q) quantiles[q] = forecast + offsets[q];
  return !offsets.empty();
}

}  // namespace tidegate
