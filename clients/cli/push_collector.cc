#include "clients/cli/push_collector.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cli/outcome_name.h"

namespace tidegate {
namespace {

constexpr std::size_t kSamples = 15;
constexpr std::size_t kUnusual = 10;
constexpr std::size_t kRefused = 10;
constexpr float kNone = std::numeric_limits<float>::quiet_NaN();

// The share of pairs (a labelled, an unlabelled reading) in which the labelled one scores higher: the area
// under the ROC curve, by ranks (Mann & Whitney 1947). Requires scores in rising order and some of both
// kinds.
template <typename Scores>
double LabelledAbove(const Scores& rising, std::size_t labelled) {
  double above = 0;
  std::size_t unlabelled = 0;  // below the present group of equal scores
  for (std::size_t begin = 0; begin < rising.size();) {
    std::size_t end = begin;
    std::size_t with_label = 0;
    for (; end < rising.size() && rising[end].score == rising[begin].score; ++end)
      with_label += rising[end].labelled;
    const std::size_t without = end - begin - with_label;
    above += static_cast<double>(with_label) *
             (static_cast<double>(unlabelled) + 0.5 * static_cast<double>(without));
    unlabelled += without;
    begin = end;
  }
  return above / (static_cast<double>(labelled) * static_cast<double>(unlabelled));
}

}  // namespace

PushCollector::PushCollector(const Readings& readings, const PushOptions& options, bool row_numbers)
    : readings_(readings), prefix_(options.stream_prefix), last_(readings.streams.size(), kNone) {
  summary_.server = options.connection.server;
  summary_.file = readings.file;
  summary_.target = readings.features[readings.target];
  summary_.streams = readings.streams.size();
  summary_.readings = readings.size();
  summary_.interval_ns = readings.interval_ns;
  summary_.row_numbers = row_numbers;
}

absl::Status PushCollector::Add(const Answer& answer) {
  if (!accuracy_) {
    absl::Status begun = Begin(answer.response);
    if (!begun.ok()) return begun;
  }
  ++summary_.messages;
  summary_.latency_seconds.push_back(absl::ToDoubleSeconds(answer.latency));
  for (std::size_t i = 0; i < answer.readings.size(); ++i) {
    AddReading(answer.readings[i], answer.response, static_cast<int>(i),
               /*sample=*/i == summary_.samples.size() % answer.readings.size());
  }
  return absl::OkStatus();
}

absl::Status CheckInterval(std::int64_t readings_ns, std::int64_t model_ns) {
  const double ratio = static_cast<double>(readings_ns) / static_cast<double>(model_ns);
  if (ratio > 0.5 && ratio < 1.5) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("the readings are ", absl::FormatDuration(absl::Nanoseconds(readings_ns)),
                   " apart, the model takes one every ", absl::FormatDuration(absl::Nanoseconds(model_ns)),
                   ": is it the right model, or --interval wrong?"));
}

absl::Status PushCollector::Begin(const v1::PushResponse& response) {
  if (auto s = CheckInterval(readings_.interval_ns, response.interval()); !s.ok()) return s;
  summary_.model_interval_ns = response.interval();
  summary_.quantiles.assign(response.quantile().begin(), response.quantile().end());
  accuracy_.emplace(readings_.streams.size(), response.horizon(), summary_.quantiles.size());
  return absl::OkStatus();
}

float PushCollector::Target(const FeedReading& reading) const {
  return readings_.streams[reading.stream].values[reading.row * readings_.features.size() + readings_.target];
}

std::int64_t PushCollector::Advance(std::size_t stream, std::int64_t time_ns) {
  const auto [place, first] = places_.try_emplace(stream, Place{.time_ns = time_ns});
  Place& last = place->second;
  if (first) return last.tick;
  last.tick += (time_ns - last.time_ns + summary_.model_interval_ns / 2) / summary_.model_interval_ns;
  last.time_ns = time_ns;
  return last.tick;
}

void PushCollector::AddReading(const FeedReading& reading, const v1::PushResponse& response, int i,
                               bool sample) {
  const StreamReadings& stream = readings_.streams[reading.stream];
  const std::string outcome = OutcomeName(response, i);
  ++summary_.outcomes[outcome];
  ++seen_;
  const bool duplicate = response.outcome(i) == v1::OUTCOME_DUPLICATE;
  // Of a duplicate the forecast counts as that of the first answer, which did not arrive.
  if (response.outcome(i) != v1::OUTCOME_APPLIED && !(duplicate && response.steps(i) > 0)) {
    if (summary_.refused.size() < kRefused && !duplicate) {
      summary_.refused.push_back({absl::StrCat(prefix_, stream.stream), stream.line[reading.row], outcome});
    }
    return;
  }
  const std::int64_t tick = Advance(reading.stream, stream.timestamp_ns[reading.row]);
  const float actual = Target(reading);
  const float anomaly_score = response.anomaly_score(i);
  accuracy_->Observe(reading.stream, tick, actual, static_cast<float>(summary_.resolution / 2));
  if (sample) Sample(reading, tick, anomaly_score);
  if (!std::isnan(anomaly_score)) {
    scores_.push_back({anomaly_score, stream.labelled(reading.row)});
    KeepUnusual(reading, tick, anomaly_score);
  }
  float& last = last_[reading.stream];
  if (!std::isnan(actual) && !std::isnan(last)) {
    const double change = std::abs(static_cast<double>(actual) - last);
    ++pairs_;
    if (change == 0) ++unchanged_;
    if (change > 0 && (summary_.resolution == 0 || change < summary_.resolution))
      summary_.resolution = change;
  }
  if (!std::isnan(actual)) last = actual;
  const int size = response.forecast_size() / response.outcome_size();
  accuracy_->Remember(
      reading.stream, tick, last,
      {response.forecast().data() + static_cast<std::ptrdiff_t>(i) * size, static_cast<std::size_t>(size)});
}

PushSummary::Row PushCollector::Row(const FeedReading& reading, std::size_t step,
                                    const Accuracy::Quantiles& forecast, float anomaly_score) const {
  const StreamReadings& stream = readings_.streams[reading.stream];
  return {.stream = absl::StrCat(prefix_, stream.stream),
          .timestamp_ns = stream.timestamp_ns[reading.row],
          .line = stream.line[reading.row],
          .step = step,
          .forecast = forecast,
          .actual = Target(reading),
          .reach = static_cast<float>(summary_.resolution / 2),
          .anomaly_score = anomaly_score,
          .label = stream.labelled(reading.row) ? stream.label[reading.row] : ""};
}

// Takes the reading if the next sample is due; they are spread evenly over the feed. Each is shown with the
// forecast made 1, a quarter of the horizon or the whole horizon before, in turn.
void PushCollector::Sample(const FeedReading& reading, std::int64_t tick, float anomaly_score) {
  const std::size_t taken = summary_.samples.size();
  if (taken >= kSamples || seen_ * (kSamples + 1) < (taken + 1) * summary_.readings) return;
  const std::size_t horizon = accuracy_->steps().size();
  const std::size_t step = taken % 3 == 0   ? 1
                           : taken % 3 == 1 ? std::max<std::size_t>(1, horizon / 4)
                                            : horizon;
  const Accuracy::Quantiles* forecast = accuracy_->Find(reading.stream, tick, step);
  if (forecast == nullptr || std::isnan(Target(reading))) return;
  summary_.samples.push_back(Row(reading, step, *forecast, anomaly_score));
}

void PushCollector::KeepUnusual(const FeedReading& reading, std::int64_t tick, float anomaly_score) {
  std::vector<PushSummary::Row>& kept = summary_.unusual;
  if (kept.size() == kUnusual && anomaly_score <= kept.back().anomaly_score) return;
  const Accuracy::Quantiles* forecast = accuracy_->Find(reading.stream, tick, 1);
  if (forecast == nullptr) return;  // a bridged reading: nothing was answered one step before it
  const auto place = std::find_if(kept.begin(), kept.end(),
                                  [&](const auto& row) { return row.anomaly_score < anomaly_score; });
  kept.insert(place, Row(reading, 1, *forecast, anomaly_score));
  if (kept.size() > kUnusual) kept.pop_back();
}

PushSummary PushCollector::Finish(absl::Duration spent, std::size_t not_sent, std::size_t interruptions) {
  summary_.not_sent = not_sent;
  summary_.interruptions = interruptions;
  summary_.seconds = absl::ToDoubleSeconds(spent);
  std::sort(summary_.latency_seconds.begin(), summary_.latency_seconds.end());
  if (accuracy_) {
    summary_.steps.assign(accuracy_->steps().begin(), accuracy_->steps().end());
    summary_.total = accuracy_->total();
  }
  summary_.unchanged = pairs_ == 0 ? 0 : static_cast<double>(unchanged_) / static_cast<double>(pairs_);
  summary_.scored = scores_.size();
  for (const Score& score : scores_) summary_.labelled += score.labelled ? 1 : 0;
  std::sort(scores_.begin(), scores_.end(), [](const Score& a, const Score& b) { return a.score < b.score; });
  if (summary_.labelled > 0 && summary_.labelled < summary_.scored) {
    summary_.labelled_above = LabelledAbove(scores_, summary_.labelled);
  }
  return std::move(summary_);
}

}  // namespace tidegate
