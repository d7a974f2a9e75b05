#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "clients/client/resuming_stream.h"
#include "tests/support/replay_table.h"

namespace tidegate {

// Holds the answers that a ResumingStream gets against an offline replay of the same readings, bit for bit,
// whatever happened to the server meanwhile: outcome, reason, forecast, anomaly score, steps and quality. A
// message that was sent again may be answered DUPLICATE, with the forecast of the first answer or without
// one; any other deviation is a mismatch. So a reading that was lost, or taken twice, shows in all that
// follow. For streams that begin with the check. Not thread-safe.
class NumberedCheck {
 public:
  NumberedCheck(std::shared_ptr<const Model> model, std::size_t streams)
      : replay_(std::move(model), streams) {}

  // Every answer, in order. Streams of the ResumingStream are those of the check.
  void Check(const ResumingStream::Answer& answer);

  std::uint64_t readings() const { return readings_; }      // answered
  std::uint64_t compared() const { return compared_; }      // of them held against the replay in all columns
  std::uint64_t duplicates() const { return duplicates_; }  // answered DUPLICATE; of these with a forecast:
  std::uint64_t repeated() const { return repeated_; }
  std::uint64_t mismatches() const { return mismatches_; }
  const std::string& report() const { return report_; }  // the first of them in words
  // What the stream is after the readings that were answered.
  const StreamHeader& header(std::uint32_t stream) const { return replay_.header(stream); }

 private:
  // What of reading i is another; empty: nothing.
  std::string Differences(const ResumingStream::Answer& answer, std::size_t i,
                          const ReplayTable::Answers& expected);

  ReplayTable replay_;
  std::vector<ReplayTable::Sent> sent_;
  std::uint64_t readings_ = 0, compared_ = 0, duplicates_ = 0, repeated_ = 0, mismatches_ = 0;
  std::string report_;
};

}  // namespace tidegate
