#pragma once

#include <string>
#include <utility>
#include <vector>

namespace tidegate {

// One axis of a chart: from values to pixels, with ticks at round values.
class ChartAxis {
 public:
  enum class Kind { kNumber, kPercent, kTime };

  // low < high: the values at the pixels `from` and `to`.
  ChartAxis(Kind kind, double low, double high, double from, double to)
      : kind_(kind), low_(low), high_(high), from_(from), to_(to) {}

  double Pixel(double value) const { return from_ + (value - low_) / (high_ - low_) * (to_ - from_); }

  // About `count` values with their texts.
  std::vector<std::pair<double, std::string>> Ticks(int count) const;

 private:
  Kind kind_;
  double low_, high_, from_, to_;
};

}  // namespace tidegate
