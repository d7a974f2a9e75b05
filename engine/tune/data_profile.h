#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/train/series.h"

namespace tidegate {

// What a model for some streams has to cope with, measured (ProfileOf) or described by hand. A plain value.
struct DataProfile {
  std::int64_t interval_ns = 0;  // between two readings
  std::size_t horizon = 24;      // steps ahead that are to be forecast
  std::size_t streams = 1;
  std::size_t readings = 0;  // rows on the time grid, over all streams
  std::size_t features = 1;  // values of a reading
  double missing = 0;        // share of the rows without a value of the target
  std::size_t breaks = 0;    // gaps too long to step over, after which a series begins anew
  std::size_t season = 0;    // readings of the cycle that explains most; 0: none explains a tenth
  double season_share = 0;   // of the target's variance around its trend that it explains, out of sample

  // What follows is of the target less its season.
  // Readings: the first lag from which on the autocorrelation stays below 0.2 and thrice its standard error;
  // the longest lag looked at (a quarter of the longest series, 1024 at most) if it never does. 0: not known.
  std::size_t memory_autocorrelation = 0;
  std::size_t memory_probe = 0;   // readings: ContextProbe::context
  std::size_t longest_probe = 0;  // readings: ContextProbe::longest
  bool level = false;             // ContextProbe::level
  double local_pattern = 0;       // ContextProbe::local_pattern
  double gain = 1;                // ContextProbe::gain
};

// Measures the feature `target` of series on a grid of `interval_ns`; from rows that are not scored nothing
// is learnt. Looks at no more than the last 200,000 rows, evenly of all series, so that a million readings
// take a few seconds. InvalidArgument: no series is long enough (says how long it must be), or the target
// never varies.
absl::StatusOr<DataProfile> ProfileOf(const std::vector<Series>& series, std::int64_t interval_ns,
                                      std::size_t target, std::size_t horizon);

}  // namespace tidegate
