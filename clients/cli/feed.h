#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "clients/cli/readings.h"

namespace tidegate {

// One reading, by its place in Readings.
struct FeedReading {
  std::size_t stream;  // index into Readings::streams
  std::size_t row;     // of that stream
};

// The readings of all streams in the order in which a live feed would bring them: tick by tick (times within
// half an interval of each other), streams in their order within a tick. A plain value.
class Feed {
 public:
  explicit Feed(const Readings& readings);

  std::size_t size() const { return ends_.size(); }  // ticks that have readings
  std::span<const FeedReading> tick(std::size_t i) const;

 private:
  std::vector<FeedReading> readings_;
  std::vector<std::size_t> ends_;  // of each tick within readings_
};

}  // namespace tidegate
