#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace tidegate {

// Of the rows from `first` to before `end` one of each `stride`: which of them goes by the golden ratio's
// multiples (Weyl 1916), so that each place among the `stride` comes as often. Always the same place would
// see the same few hours of each day. series: those of another number lie elsewhere.
class SpreadRows {
 public:
  SpreadRows(std::size_t first, std::size_t end, std::size_t stride, std::size_t series = 0)
      : first_(first), end_(std::max(first, end)), stride_(stride), series_(series) {}

  std::size_t size() const { return (end_ - first_ + stride_ - 1) / stride_; }

  // Rising in k.
  std::size_t operator[](std::size_t k) const {
    constexpr double kGolden = 0.6180339887498949;
    const double multiple = static_cast<double>(k + series_) * kGolden;
    const auto place =
        static_cast<std::size_t>((multiple - std::floor(multiple)) * static_cast<double>(stride_));
    return std::min(first_ + k * stride_ + place, end_ - 1);
  }

 private:
  std::size_t first_, end_, stride_, series_;
};

}  // namespace tidegate
