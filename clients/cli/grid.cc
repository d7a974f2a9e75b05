#include "clients/cli/grid.h"

#include <cmath>
#include <limits>
#include <vector>

namespace tidegate {
namespace {

// Leaves the rows within `margin` of each labelled row out of the score.
std::vector<bool> Scored(const std::vector<bool>& labelled, std::size_t margin) {
  std::vector<bool> scored(labelled.size(), true);
  for (std::size_t pass = 0; pass < 2; ++pass) {  // forwards, then backwards
    std::size_t last = 0;                         // 1 + the last labelled row so far; 0: none yet
    for (std::size_t i = 0; i < labelled.size(); ++i) {
      const std::size_t row = pass == 0 ? i : labelled.size() - 1 - i;
      if (labelled[row]) last = i + 1;
      if (last > 0 && i + 1 - last <= margin) scored[row] = false;
    }
  }
  return scored;
}

}  // namespace

Grid ToGrid(const Readings& readings, std::size_t label_margin, std::size_t bridge_limit) {
  const std::size_t features = readings.features.size();
  Grid grid;
  std::vector<bool> labelled;  // of the series being built
  const auto finish = [&] {
    if (!labelled.empty()) grid.series.back().scored = Scored(labelled, label_margin);
    labelled.clear();
  };
  for (const StreamReadings& stream : readings.streams) {
    std::int64_t last_ns = 0;
    for (std::size_t i = 0; i < stream.size(); ++i) {
      const double elapsed = static_cast<double>(stream.timestamp_ns[i] - last_ns);
      const double ticks = i == 0 ? 0 : std::round(elapsed / static_cast<double>(readings.interval_ns));
      if (i > 0 && ticks < 1) {
        ++grid.crowded;
        continue;
      }
      if (i == 0 || ticks > static_cast<double>(bridge_limit) + 1) {
        finish();
        grid.breaks += i > 0 ? 1 : 0;
        grid.series.emplace_back();
        grid.series.back().stream = stream.stream;
        grid.series.back().features = features;
        grid.series.back().begin_ns = stream.timestamp_ns[i];
      } else {
        const auto missing = static_cast<std::size_t>(ticks) - 1;
        grid.missing += missing;
        for (std::size_t left = missing; left > 0; --left) {
          grid.series.back().time_ns.push_back(stream.timestamp_ns[i] -
                                               static_cast<std::int64_t>(left) * readings.interval_ns);
        }
        auto& values = grid.series.back().values;
        values.insert(values.end(), missing * features, std::numeric_limits<float>::quiet_NaN());
        labelled.insert(labelled.end(), missing, false);
      }
      const float* row = stream.values.data() + i * features;
      grid.series.back().values.insert(grid.series.back().values.end(), row, row + features);
      grid.series.back().time_ns.push_back(stream.timestamp_ns[i]);
      labelled.push_back(stream.labelled(i));
      last_ns = stream.timestamp_ns[i];
    }
    finish();
  }
  return grid;
}

}  // namespace tidegate
