#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/train/series.h"

namespace tidegate {

// A cycle that a table by the timestamp takes out.
struct FoundSeason {
  std::size_t readings = 0;  // 0: none explains a tenth
  double share = 0;          // of the variance around a running mean over the longest period that was tried
};

// Of series of one feature that count alike, the cycle that explains most of quarters which its table was not
// made from: a day, a week, or what the series resemble themselves after (CandidatePeriods, there to the
// reading). A longer one has to explain a hundredth more.
FoundSeason FindSeason(const std::vector<Series>& series, std::int64_t interval_ns);

// Subtracts the table of that cycle; none if it has 0 readings.
void RemoveSeason(const FoundSeason& season, std::int64_t interval_ns, std::vector<Series>& series);

}  // namespace tidegate
