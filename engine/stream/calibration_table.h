#pragma once

#include <cstddef>
#include <utility>
#include <vector>

namespace tidegate {

// How wide a model's intervals would have had to be on its validation readings. For each scored step and each
// level but the median, the distribution of the ratio
//   (reading - median forecast) / (forecast of the level - median forecast)
// which is at most 1 where the level held, and below 0 where the reading was on the median's other side.
// Immutable; const methods are safe from any thread.
class CalibrationTable {
 public:
  static constexpr std::size_t kLevels = 101;
  static constexpr float kLeastPosition = -2, kMostPosition = 3;

  CalibrationTable() = default;  // knows no ratios

  // ratios [rows, kLevels]: of each row EvenQuantiles of the ratios seen.
  explicit CalibrationTable(std::vector<float> ratios) : ratios_(std::move(ratios)) {}

  // The quantile of a row at `position`: between 0 and 1 linear between those that are stored; beyond, where
  // no validation reading was, it moves on as 2^(5 d) - 1 at a distance of d. Above `usual` it grows no
  // faster than that either: the largest ratios of a validation are outliers, and a stream that needs a
  // little more width is not to get theirs. Without ratios those of a logistic distribution, with 1 at
  // position `usual`.
  float Ratio(std::size_t row, float position, float usual) const;

  bool empty() const { return ratios_.empty(); }

 private:
  // Of a row, at a position from 0 to 1.
  float Stored(std::size_t row, float position, float usual) const;

  std::vector<float> ratios_;
};

}  // namespace tidegate
