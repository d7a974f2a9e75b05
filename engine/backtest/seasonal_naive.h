#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/backtest/target.h"

namespace tidegate {

// "As it was a season ago", with intervals from how far that was off on the rows before the test part.
class SeasonalNaive {
 public:
  // season: readings, > 0. levels: rising, within 0 and 1. pieces: the series of one stream.
  SeasonalNaive(std::span<const Target> pieces, std::size_t season, std::size_t horizon,
                std::vector<float> levels);

  // What is forecast at row t for `step` steps later: the value a season before that row, or as many seasons
  // as lie behind t; where it is missing one season earlier, and where none is left the last known value.
  float Forecast(const Target& target, std::size_t t, std::size_t step) const;

  // quantiles [Q] of the same: the forecast plus the quantiles of value less value so many seasons before.
  // False: the rows before the test part have too few such pairs.
  bool Quantiles(float forecast, std::size_t step, std::span<float> quantiles) const;

  // Mean |value - value a season before| of the rows before the test part, what MASE divides by (Hyndman &
  // Koehler 2006); NaN if there is no pair.
  double scale() const { return scale_; }

 private:
  std::size_t season_;
  std::vector<float> levels_;
  std::vector<std::vector<float>> offsets_;  // [seasons of the horizon][Q]; empty: too few pairs
  double scale_ = 0;
};

}  // namespace tidegate
