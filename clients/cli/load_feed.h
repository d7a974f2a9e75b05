#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "clients/cli/load.h"
#include "tidegate/v1/forecaster.pb.h"

namespace tidegate {

// The times of the streams' readings: the n-th (from 0) is at start + n * interval, at most `latest`.
struct LoadGrid {
  std::int64_t start_ns = 0;
  std::int64_t interval_ns = 1;
  std::int64_t latest_ns = 0;
};

// The messages of one call: first each of its streams' first reading, by Open, which names the streams; then
// by Next their further readings in turns, in one random order that is the same in every turn, so that no
// stream's readings come close together. Values are random around 20. Not thread-safe.
class LoadFeed {
 public:
  // Streams first, first + 1, ... first + streams - 1; at least one. `options` must outlive it.
  LoadFeed(const LoadOptions& options, const LoadGrid& grid, std::size_t first, std::size_t streams);

  bool opened() const { return named_ == order_.size(); }
  // The streams' time has come to the present: there are no more messages.
  bool ended() const { return time_ns_ > grid_.latest_ns; }

  // Up to 1,024 first readings, for acknowledgement only. Requires that it is not opened.
  const v1::PushRequest& Open();
  // `batch` readings. Requires that it is opened and has not ended.
  const v1::PushRequest& Next();

 private:
  void Begin();
  void Add(std::size_t stream, bool name);

  const LoadOptions& options_;
  LoadGrid grid_;
  std::size_t first_;
  std::vector<std::uint32_t> order_;  // of the streams in each turn
  std::size_t named_ = 0;             // streams
  std::size_t place_ = 0;             // in order_
  std::int64_t time_ns_;              // of this turn's readings
  std::vector<float> values_;         // used over and over
  std::size_t value_ = 0;
  v1::PushRequest request_;
};

}  // namespace tidegate
