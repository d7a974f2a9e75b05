#pragma once

#include <cstddef>
#include <vector>

#include "engine/train/series.h"

namespace tidegate {

// How many readings a forecast profits from, and of which kind, as a linear autoregression tells in about a
// second. Linear only: what a network alone could find it does not see.
struct ContextProbe {
  std::size_t context = 0;  // readings: the fewest whose error is at most 1 % above the least
  std::size_t longest = 0;  // readings: the most that these series allow to try
  bool level = false;       // the level less the mean of all before takes 1 % or more off the error
  // Share of the last value's squared error that the best context takes away, 0 to 1.
  double gain = 0;
  // Share of what the last readings and a smooth memory (running means over about 2 to 128 readings and the
  // last difference) explain together that the smooth memory alone does not, 0 to 1: whether the shape of the
  // last readings matters. 0 where hardly anything is explained.
  double local_pattern = 0;
};

// Readings under a filter that would see such a shape; those that local_pattern is about.
inline constexpr std::size_t kLocalReadings = 8;

// Rows that the longest series must have so that `context` is tried: each quarter of it then has origins.
constexpr std::size_t ReadingsToProbe(std::size_t context, std::size_t horizon) {
  return 4 * (context + horizon);
}
inline constexpr std::size_t kShortestContext = 4, kLongestContext = 512;

// Of series of one feature, in deviations, whose missing values count as the last known one. Ridge
// regressions of the differences among the last 4, 8, ... 512 readings, without and with the last level, to
// what the series moves in up to 8 steps evenly spread over `horizon`, all steps counting alike. Moves beyond
// six times their mean size count as six times. Errors are of quarters of each series that were left out of
// the fit, with the best of four penalties. Requires a series of at least ReadingsToProbe(kShortestContext,
// horizon) rows that varies.
ContextProbe ProbeContext(const std::vector<Series>& series, std::size_t horizon);

}  // namespace tidegate
