#include "tests/support/answer_check.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <span>

#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

constexpr std::size_t kNotes = 10;  // mismatches told in words

}  // namespace

bool SameBits(std::span<const float> a, std::span<const float> b) {
  if (a.empty() || std::memcmp(a.data(), b.data(), a.size_bytes()) == 0) return true;
  const auto bits = [](float v) { return std::isnan(v) ? 0x7fc00000u : std::bit_cast<std::uint32_t>(v); };
  return std::ranges::equal(a, b, {}, bits, bits);
}

// The columns that an answer to so many readings has.
bool AnswerCheck::IsShaped(const v1::PushResponse& response, std::size_t readings) const {
  const ModelSpec& spec = replay_.model().spec();
  const auto n = static_cast<int>(readings);
  return response.outcome_size() == n && (response.reason_size() == 0 || response.reason_size() == n) &&
         static_cast<std::size_t>(response.forecast_size()) == readings * spec.outputs() &&
         response.anomaly_score_size() == n && response.steps_size() == n && response.quality_size() == n &&
         response.horizon() == spec.horizon && response.interval() == spec.interval_ns &&
         std::ranges::equal(response.quantile(), spec.quantiles);
}

void AnswerCheck::Note(const std::string& line) {
  if (noted_++ < kNotes) absl::StrAppend(&report_, line, "\n");
}

void AnswerCheck::Check(const v1::PushRequest& request, std::size_t first, const v1::PushResponse& response) {
  const ModelSpec& spec = replay_.model().spec();
  const auto n = static_cast<std::size_t>(request.handle_size());
  const std::size_t features = spec.features.size();
  sent_.clear();
  for (std::size_t i = 0; i < n; ++i) {
    sent_.push_back({.stream = static_cast<std::uint32_t>(first + request.handle(static_cast<int>(i))),
                     .reading = {.timestamp_ns = request.timestamp(static_cast<int>(i)),
                                 .values = {request.value().data() + i * features, features}}});
  }
  const ReplayTable::Answers& expected = replay_.Push(sent_, std::numeric_limits<std::int64_t>::max());
  readings_ += n;
  for (const Outcome outcome : expected.outcome) ++outcomes_[static_cast<std::size_t>(outcome)];
  if (!IsShaped(response, n)) {
    mismatches_ += n;
    return Note(absl::StrCat("an answer to ", n,
                             " readings with other columns: ", response.ShortDebugString().substr(0, 200)));
  }
  const std::size_t outputs = spec.outputs();
  for (std::size_t i = 0; i < n; ++i) {
    const auto k = static_cast<int>(i);
    const int reason = response.reason_size() == 0 ? 0 : response.reason(k);
    std::string differs;
    const auto compare = [&](const char* name, bool same) {
      if (!same) absl::StrAppend(&differs, " ", name);
    };
    compare("outcome", response.outcome(k) == static_cast<int>(expected.outcome[i]));
    compare("reason", reason == static_cast<int>(expected.reason[i]));
    compare("forecast", SameBits({response.forecast().data() + i * outputs, outputs},
                                 {&expected.forecast[i * outputs], outputs}));
    compare("anomaly_score",
            SameBits({response.anomaly_score().data() + i, 1}, {&expected.anomaly_score[i], 1}));
    compare("steps", response.steps(k) == expected.steps[i]);
    compare("quality", response.quality(k) == expected.quality[i]);
    if (differs.empty()) continue;
    ++mismatches_;
    Note(absl::StrCat("stream ", sent_[i].stream, ", time ", sent_[i].reading.timestamp_ns, ": other",
                      differs, "; outcome ", response.outcome(k), " for ",
                      static_cast<int>(expected.outcome[i]), ", steps ", response.steps(k), " for ",
                      expected.steps[i]));
  }
}

}  // namespace tidegate
