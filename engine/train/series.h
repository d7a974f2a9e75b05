#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace tidegate {

// The readings of one stream on the model's time grid, one row per tick.
struct Series {
  std::string stream;
  std::size_t features = 0;        // F
  std::int64_t begin_ns = 0;       // time of the first row, since 1970-01-01 UTC
  std::vector<float> values = {};  // [n, F]; NaN: missing, also a tick without a reading
  std::vector<bool> scored = {};   // [n]; false: the loss and the statistics leave the row out (an event)
  std::vector<std::int64_t> time_ns = {};  // [n] of each row; empty: rows are exactly an interval apart

  std::int64_t TimeOf(std::size_t row, std::int64_t interval_ns) const {
    return time_ns.empty() ? begin_ns + static_cast<std::int64_t>(row) * interval_ns : time_ns[row];
  }
  std::size_t size() const { return features == 0 ? 0 : values.size() / features; }
};

}  // namespace tidegate
