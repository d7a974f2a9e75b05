#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <span>

namespace tidegate {

// The first value that is not missing (NaN), or how many there are.
inline std::size_t FirstKnown(std::span<const float> values) {
  return static_cast<std::size_t>(std::ranges::find_if(values, [](float v) { return !std::isnan(v); }) -
                                  values.begin());
}

// One of the blocks into which cross-validation cuts the rows of a series that have a context before them.
struct RowBlock {
  std::size_t number = 0, of = 1;
  std::size_t context = 0;  // readings; of half the rows at most

  // known: the first row whose target is known; rows: of the series.
  std::size_t Begin(std::size_t known, std::size_t rows) const { return Place(number, known, rows); }
  std::size_t End(std::size_t known, std::size_t rows) const { return Place(number + 1, known, rows); }

 private:
  std::size_t Place(std::size_t block, std::size_t known, std::size_t rows) const {
    const std::size_t first = known + std::min(context, (rows - known) / 2);
    return first + (rows - first) * block / of;
  }
};

}  // namespace tidegate
