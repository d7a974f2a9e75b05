#pragma once

#include <cstddef>
#include <vector>

#include "clients/cli/readings.h"
#include "engine/train/series.h"

namespace tidegate {

// Readings on the model's time grid.
struct Grid {
  std::vector<Series> series;
  std::size_t missing = 0;  // ticks without a reading that were filled with NaN
  std::size_t breaks = 0;   // longer gaps, after which a new series begins
  std::size_t crowded = 0;  // readings left out: less than half an interval after the one before
};

// Lays the streams on the grid by the rules of the server (see Decide in engine/stream/stream.h): one row per
// tick with the time of its reading, NaN for up to `bridge_limit` missing ticks, a new series after more.
// Rows within `label_margin` ticks of a labelled reading are not scored.
Grid ToGrid(const Readings& readings, std::size_t label_margin, std::size_t bridge_limit);

}  // namespace tidegate
