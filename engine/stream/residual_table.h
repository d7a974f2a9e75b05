#pragma once

#include <array>
#include <cstddef>
#include <limits>
#include <span>
#include <vector>

namespace tidegate {

// How large the errors of one-step forecasts were on validation readings: the yardstick of the anomaly score.
// Immutable; const methods are safe from any thread.
class ResidualTable {
 public:
  static constexpr std::size_t kLevels = 101;

  ResidualTable() = default;  // knows no residuals: every score is NaN

  // From |target - median forecast made one step before|, any order, in the target's unit divided by
  // OutputScale. Ignores NaN.
  static ResidualTable From(std::vector<float> absolute_residuals);

  // From what is stored in a model: [kLevels] rising quantiles at the levels 0, 0.01, ... 1, and their count.
  ResidualTable(std::vector<float> quantiles, std::size_t count);

  // The share of residuals that were smaller than |residual|, in [0, 1): linear between the quantiles, times
  // n / (n + 1); beyond the largest residual m, 1 - (m / |residual|)^2 / (n + 1). NaN stays NaN.
  float Score(float residual) const;

  std::span<const float> quantiles() const { return quantiles_; }
  std::size_t count() const { return count_; }
  float mean() const { return mean_; }  // of the quantiles; NaN: knows none

 private:
  // How many of the quantiles are below `size`; found in two steps that compare whole vectors, as this is
  // done for every reading.
  std::size_t CountBelow(float size) const;

  static constexpr std::size_t kBlock = 8, kBlocks = 16;
  std::vector<float> quantiles_;                  // [kLevels] or empty
  std::array<float, kBlock * kBlocks> blocks_{};  // the same, and infinity behind them
  std::array<float, kBlocks> tops_{};             // the last of each block
  std::size_t count_ = 0;                         // n
  float share_ = 0;                               // n / (n + 1) / (kLevels - 1)
  float mean_ = std::numeric_limits<float>::quiet_NaN();
};

}  // namespace tidegate
