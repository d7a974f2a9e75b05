#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "tests/support/replay_table.h"
#include "tidegate/v1/forecaster.pb.h"

namespace tidegate {

// Whether floats are the same to the bit, all NaNs being one.
bool SameBits(std::span<const float> a, std::span<const float> b);

// Holds every answer of a server against an offline replay of the same readings: outcome, reason, forecast,
// anomaly score, steps and quality, floats bit for bit (all NaNs are one). For streams that begin with the
// check, pushed by messages with handles and without sequence numbers. Not thread-safe.
class AnswerCheck {
 public:
  AnswerCheck(std::shared_ptr<const Model> model, std::size_t streams) : replay_(std::move(model), streams) {}

  // Checks the answer to a message of a call; a call's messages in their order. Its handle h is the stream
  // first + h of the check.
  void Check(const v1::PushRequest& request, std::size_t first, const v1::PushResponse& response);

  std::uint64_t readings() const { return readings_; }
  std::uint64_t mismatches() const { return mismatches_; }  // readings whose answer was another
  // Readings by outcome as the replay has them.
  std::uint64_t outcomes(Outcome outcome) const { return outcomes_[static_cast<std::size_t>(outcome)]; }
  // The first mismatches in words, a line each; empty: there were none.
  const std::string& report() const { return report_; }

 private:
  bool IsShaped(const v1::PushResponse& response, std::size_t readings) const;
  void Note(const std::string& line);

  ReplayTable replay_;
  std::vector<ReplayTable::Sent> sent_;
  std::uint64_t readings_ = 0;
  std::uint64_t mismatches_ = 0;
  std::size_t noted_ = 0;
  std::array<std::uint64_t, 9> outcomes_ = {};
  std::string report_;
};

}  // namespace tidegate
