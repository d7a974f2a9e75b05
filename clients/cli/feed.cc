#include "clients/cli/feed.h"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <numeric>
#include <vector>

namespace tidegate {

Feed::Feed(const Readings& readings) {
  std::int64_t first_ns = std::numeric_limits<std::int64_t>::max();
  for (const StreamReadings& stream : readings.streams) {
    if (stream.size() > 0) first_ns = std::min(first_ns, stream.timestamp_ns.front());
  }
  std::vector<std::int64_t> ticks;
  std::vector<FeedReading> unordered;
  for (std::size_t s = 0; s < readings.streams.size(); ++s) {
    for (std::size_t row = 0; row < readings.streams[s].size(); ++row) {
      const std::int64_t elapsed = readings.streams[s].timestamp_ns[row] - first_ns;
      ticks.push_back((elapsed + readings.interval_ns / 2) / readings.interval_ns);
      unordered.push_back({s, row});
    }
  }
  std::vector<std::size_t> order(unordered.size());
  std::iota(order.begin(), order.end(), 0);
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return ticks[a] < ticks[b]; });
  for (std::size_t i = 0; i < order.size(); ++i) {
    if (i > 0 && ticks[order[i]] != ticks[order[i - 1]]) ends_.push_back(i);
    readings_.push_back(unordered[order[i]]);
  }
  if (!readings_.empty()) ends_.push_back(readings_.size());
}

std::span<const FeedReading> Feed::tick(std::size_t i) const {
  const std::size_t begin = i == 0 ? 0 : ends_[i - 1];
  return std::span(readings_).subspan(begin, ends_[i] - begin);
}

}  // namespace tidegate
