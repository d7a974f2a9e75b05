#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "clients/cli/connection.h"
#include "clients/cli/load_histogram.h"

namespace tidegate {

// What load to put on a server.
struct LoadOptions {
  ConnectionOptions connection;
  std::string model;                    // empty: the server's default
  std::string stream_prefix = "load-";  // streams are PREFIX0, PREFIX1, ...
  std::size_t streams = 1000;
  std::size_t features = 1;  // values of a reading
  std::size_t batch = 1;     // readings of a message
  double rate = 0;           // readings/s over all streams; 0: as many as are answered (closed loop)
  bool poisson = true;       // open loop: else evenly spaced
  std::size_t window = 16;   // closed loop: messages unanswered on each call
  std::size_t calls = 1;     // of Stream, which share the streams
  std::size_t connections = 1;
  bool unary = false;             // a call of Push for each message; `calls` then only divides the streams
  std::uint32_t horizon = 0;      // steps of the forecast wanted; 0: all
  std::vector<float> quantiles;   // levels wanted; empty: all
  bool acknowledge_only = false;  // outcomes only
  absl::Duration warm_up = absl::Seconds(1);  // under load, but not measured
  absl::Duration duration = absl::Seconds(10);
  std::uint64_t seed = 1;
};

// What became of it. Counts are of the messages that were to be sent within the measured time.
struct LoadResult {
  LoadHistogram latency;                          // from when a message was to be sent to its answer
  std::map<std::string, std::uint64_t> outcomes;  // readings, by name
  std::uint64_t messages = 0;                     // answered
  std::uint64_t readings = 0;                     // in them
  std::uint64_t refused = 0;                      // with RESOURCE_EXHAUSTED, by Push
  std::uint64_t unanswered = 0;  // never sent, or without an answer 10 s after the last was due
  std::uint64_t late = 0;        // messages sent more than 1 ms after they were to be sent
  double latest_seconds = 0;     // the longest such delay
  std::uint64_t answer_bytes = 0;
  double seconds = 0;              // measured time
  double readings_per_second = 0;  // answered within the measured time
  double cpu_seconds = 0;          // that this process took in the measured time
  std::uint32_t horizon = 0;       // steps and levels of the forecasts that came back
  std::size_t quantiles = 0;
  std::int64_t interval_ns = 0;  // of the model
};

struct LoadProgress {
  double readings_per_second;  // since the last progress
  absl::Duration left;
  bool warming_up;
};

// Puts the load on the server and waits for it to end. Each stream's readings are one interval of the model
// apart; they begin in 1970, or after the stream's last one if the server has it already. `on_progress` is
// called twice a second. Latency counts from the time at which a message was to be sent, so a server that
// stalls is charged for all that had to wait (no coordinated omission). One thread; in an open loop it polls
// while the next message is less than 2 ms away, so a core should be its own. Errors: Unavailable, the server
// is not reached or goes away; FailedPrecondition, the streams' time has come to the present; else what the
// server says.
absl::StatusOr<LoadResult> RunLoad(const LoadOptions& options,
                                   const std::function<void(const LoadProgress&)>& on_progress);

}  // namespace tidegate
