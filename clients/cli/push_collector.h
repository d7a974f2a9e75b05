#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "clients/cli/accuracy.h"
#include "clients/cli/feed.h"
#include "clients/cli/push_client.h"
#include "clients/cli/push_summary.h"
#include "clients/cli/readings.h"

namespace tidegate {

// InvalidArgument: a model of this interval does not take readings so far apart.
absl::Status CheckInterval(std::int64_t readings_ns, std::int64_t model_ns);

// Gathers the answers of a push into its summary. `readings` must outlive it. Not thread-safe.
class PushCollector {
 public:
  PushCollector(const Readings& readings, const PushOptions& options, bool row_numbers);

  // Books one answer. InvalidArgument: the model's interval is not that of the readings.
  absl::Status Add(const Answer& answer);

  // not_sent, interruptions: see PushSummary.
  PushSummary Finish(absl::Duration spent, std::size_t not_sent = 0, std::size_t interruptions = 0);

 private:
  // Of one reading that was scored; kept for all of them.
  struct Score {
    float score;
    bool labelled;
  };

  // The last reading that was applied, of a stream.
  struct Place {
    std::int64_t time_ns = 0;
    std::int64_t tick = 0;
  };

  absl::Status Begin(const v1::PushResponse& response);
  // The tick of a stream's next reading: counted from the one before, as the server does, not from the first.
  std::int64_t Advance(std::size_t stream, std::int64_t time_ns);
  void AddReading(const FeedReading& reading, const v1::PushResponse& response, int i, bool sample);
  PushSummary::Row Row(const FeedReading& reading, std::size_t step, const Accuracy::Quantiles& forecast,
                       float anomaly_score) const;
  void Sample(const FeedReading& reading, std::int64_t tick, float anomaly_score);
  void KeepUnusual(const FeedReading& reading, std::int64_t tick, float anomaly_score);
  float Target(const FeedReading& reading) const;

  const Readings& readings_;
  std::string prefix_;
  PushSummary summary_;
  std::optional<Accuracy> accuracy_;                // from the first answer on, which tells the horizon
  std::vector<float> last_;                         // per stream: last known target, NaN: none
  absl::flat_hash_map<std::size_t, Place> places_;  // by stream
  std::vector<Score> scores_;
  std::size_t pairs_ = 0;      // neighbouring readings of a stream with a target each
  std::size_t unchanged_ = 0;  // of them with the same target
  std::size_t seen_ = 0;       // readings so far
};

}  // namespace tidegate
