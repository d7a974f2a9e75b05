#include "server/shard/replayed_readings.h"

#include <limits>

#include "absl/strings/str_cat.h"

namespace tidegate {

ReplayedReadings::ReplayedReadings(std::uint32_t model) {
  work_.model = model;
  work_.accept_gap = true;  // a gap was accepted where there is one
  work_.latest_ns = std::numeric_limits<std::int64_t>::max();
}

void ReplayedReadings::Add(StreamKey stream, const JournalReading& reading, std::uint64_t position) {
  keys_.push_back(stream);
  timestamps_.push_back(reading.timestamp_ns);
  values_.insert(values_.end(), reading.values.begin(), reading.values.end());
  sequences_.push_back(reading.sequence);
  positions_.push_back(position);
  decided_.push_back({.outcome = reading.outcome, .reason = reading.reason, .refuse_number = true});
}

void ReplayedReadings::Admit(Shard& shard) {
  const std::size_t n = size();
  outcomes_.resize(n);
  reasons_.resize(n);
  scores_.resize(n);
  steps_.resize(n);
  qualities_.resize(n);
  reached_.resize(n);
  work_.timestamp_ns = timestamps_;
  work_.value = values_;
  work_.sequence = sequences_;
  work_.decided = decided_;
  work_.outcome = outcomes_;
  work_.reason = reasons_;
  work_.anomaly_score = scores_;
  work_.steps = steps_;
  work_.quality = qualities_;
  work_.reached = reached_;
  shard.Replay(work_, keys_);
}

absl::Status ReplayedReadings::Check(const StreamTable& table) {
  for (std::size_t i = 0; i < size(); ++i) {
    if (outcomes_[i] == static_cast<int>(decided_[i].outcome)) continue;
    return absl::DataLossError(
        absl::StrCat("journal group ", positions_[i], ": the reading of stream '", table.id(keys_[i]),
                     "' at time ", timestamps_[i], " ns was given outcome ",
                     static_cast<int>(decided_[i].outcome), " when it came, and now gets ", outcomes_[i],
                     ": its state and the journal are not of the same server; restore a backup"));
  }
  keys_.clear();
  timestamps_.clear();
  values_.clear();
  sequences_.clear();
  positions_.clear();
  decided_.clear();
  return absl::OkStatus();
}

}  // namespace tidegate
