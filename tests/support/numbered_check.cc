#include "tests/support/numbered_check.h"

#include <limits>
#include <span>

#include "absl/strings/str_cat.h"
#include "tests/support/answer_check.h"

namespace tidegate {
namespace {

constexpr std::uint64_t kNotes = 10;  // mismatches told in words

}  // namespace

void NumberedCheck::Check(const ResumingStream::Answer& answer) {
  const std::size_t features = replay_.model().spec().features.size();
  sent_.clear();
  for (std::size_t i = 0; i < answer.streams.size(); ++i) {
    const auto k = static_cast<int>(i);
    sent_.push_back({.stream = answer.streams[i],
                     .reading = {.timestamp_ns = answer.request.timestamp(k),
                                 .values = {answer.request.value().data() + i * features, features},
                                 .sequence = answer.request.sequence(k)}});
  }
  const ReplayTable::Answers& expected = replay_.Push(sent_, std::numeric_limits<std::int64_t>::max());
  readings_ += sent_.size();
  for (std::size_t i = 0; i < sent_.size(); ++i) {
    const std::string differences = Differences(answer, i, expected);
    if (differences.empty() || ++mismatches_ > kNotes) continue;
    const auto k = static_cast<int>(i);
    absl::StrAppend(&report_, "stream ", sent_[i].stream, ", number ", sent_[i].reading.sequence,
                    answer.sent_again ? ", sent again" : "", ": other", differences, "; outcome ",
                    answer.response.outcome(k), " for ", static_cast<int>(expected.outcome[i]), ", steps ",
                    answer.response.steps_size() > k ? answer.response.steps(k) : 0, " for ",
                    expected.steps[i], "\n");
  }
}

std::string NumberedCheck::Differences(const ResumingStream::Answer& answer, std::size_t i,
                                       const ReplayTable::Answers& expected) {
  const v1::PushResponse& response = answer.response;
  const std::size_t outputs = replay_.model().spec().outputs();
  const auto k = static_cast<int>(i);
  const auto n = static_cast<int>(sent_.size());
  if (static_cast<std::size_t>(response.forecast_size()) != sent_.size() * outputs ||
      response.anomaly_score_size() != n || response.steps_size() != n || response.quality_size() != n ||
      response.sequence_size() != n || (response.reason_size() != 0 && response.reason_size() != n)) {
    return " columns";
  }
  std::string differences;
  const auto compare = [&](const char* name, bool same) {
    if (!same) absl::StrAppend(&differences, " ", name);
  };
  const bool duplicate = answer.sent_again && response.outcome(k) == v1::OUTCOME_DUPLICATE;
  compare("outcome", duplicate || response.outcome(k) == static_cast<int>(expected.outcome[i]));
  compare("number", response.sequence(k) >= sent_[i].reading.sequence);
  duplicates_ += duplicate;
  // A past one, of which is only known that it is past; also one that was LATE and says the same as the last.
  if (duplicate && (response.steps(k) == 0 || expected.outcome[i] != Outcome::kApplied)) return differences;
  repeated_ += duplicate;
  ++compared_;
  compare("reason",
          (response.reason_size() == 0 ? 0 : response.reason(k)) == static_cast<int>(expected.reason[i]));
  compare("forecast", SameBits({response.forecast().data() + i * outputs, outputs},
                               {&expected.forecast[i * outputs], outputs}));
  compare("anomaly_score",
          SameBits({response.anomaly_score().data() + i, 1}, {&expected.anomaly_score[i], 1}));
  compare("steps", response.steps(k) == expected.steps[i]);
  compare("quality", response.quality(k) == expected.quality[i]);
  return differences;
}

}  // namespace tidegate
