#include "clients/cli/answers_file.h"

#include <bit>
#include <cmath>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "clients/cli/csv.h"
#include "clients/cli/outcome_name.h"

namespace tidegate {
namespace {

constexpr std::size_t kColumns = 7;  // before the forecast

// All NaNs are one.
bool SameBits(float a, float b) {
  return std::bit_cast<std::uint32_t>(a) == std::bit_cast<std::uint32_t>(b) ||
         (std::isnan(a) && std::isnan(b));
}

std::string CsvQuoted(const std::string& text) {
  if (text.find_first_of(",\"\r\n ") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted.append(c == '"' ? 2 : 1, c);
  return quoted + '"';
}

std::string Digits(float value) { return absl::StrFormat("%.9g", value); }

}  // namespace

AnswersWriter::AnswersWriter(const std::string& file, const Readings& readings, std::string stream_prefix)
    : file_(file), readings_(readings), prefix_(std::move(stream_prefix)) {
  if (!file_.empty()) out_.open(file_);
}

void AnswersWriter::WriteHeader(const v1::PushResponse& response) {
  begun_ = true;
  out_ << "stream,timestamp_ns,sequence,outcome,steps,quality,anomaly_score";
  for (std::uint32_t h = 1; h <= response.horizon(); ++h) {
    for (const float level : response.quantile()) out_ << ",forecast_" << h << '_' << level;
  }
  out_ << '\n';
}

void AnswersWriter::Add(const Answer& answer) {
  if (file_.empty()) return;
  const v1::PushResponse& response = answer.response;
  if (!begun_) WriteHeader(response);
  const int width = response.forecast_size() / std::max(1, response.outcome_size());
  for (int i = 0; i < response.outcome_size(); ++i) {
    const FeedReading& reading = answer.readings[static_cast<std::size_t>(i)];
    const StreamReadings& stream = readings_.streams[reading.stream];
    out_ << CsvQuoted(absl::StrCat(prefix_, stream.stream)) << ',' << stream.timestamp_ns[reading.row] << ','
         << (answer.sequence.empty() ? 0 : answer.sequence[static_cast<std::size_t>(i)]) << ','
         << OutcomeName(response, i) << ',' << response.steps(i) << ',' << response.quality(i) << ','
         << Digits(response.anomaly_score(i));
    for (int f = i * width; f < (i + 1) * width; ++f) out_ << ',' << Digits(response.forecast(f));
    out_ << '\n';
  }
}

absl::Status AnswersWriter::Close() {
  if (file_.empty()) return absl::OkStatus();
  out_.close();
  return out_ ? absl::OkStatus() : absl::UnavailableError(absl::StrCat(file_, ": cannot be written"));
}

absl::Status ReceivedAnswers::Read(const std::string& file) {
  return ReadCsv(file, [&](const CsvRow& row) -> absl::Status {
    const auto bad = [&](absl::string_view what) {
      return absl::InvalidArgumentError(
          absl::StrCat(file, ":", row.line, ": ", what, ": not a file of tidegate push --answers"));
    };
    if (row.cells.size() < kColumns) return bad("too few columns");
    if (row.line == 1) {
      return row.cells[0] == "stream" && row.cells[1] == "timestamp_ns" ? absl::OkStatus()
                                                                        : bad("other columns");
    }
    Key key{.stream = row.cells[0], .sequence = 0, .timestamp_ns = 0};
    Received received{
        .outcome = OutcomeOf(row.cells[3]), .first = floats_.size(), .floats = row.cells.size() - kColumns};
    std::int64_t timestamp_ns = 0;
    if (!absl::SimpleAtoi(row.cells[1], &timestamp_ns) || !absl::SimpleAtoi(row.cells[2], &key.sequence) ||
        !absl::SimpleAtoi(row.cells[4], &received.steps) ||
        !absl::SimpleAtoi(row.cells[5], &received.quality) ||
        !absl::SimpleAtof(row.cells[6], &received.anomaly_score) ||
        received.outcome == v1::OUTCOME_UNSPECIFIED) {
      return bad("a cell that is not what its column holds");
    }
    if (key.sequence == 0) key.timestamp_ns = timestamp_ns;
    for (const std::string& cell : row.cells.subspan(kColumns)) {
      if (!absl::SimpleAtof(cell, &floats_.emplace_back())) return bad("a forecast that is no number");
    }
    answers_.insert_or_assign(std::move(key), received);
    return absl::OkStatus();
  });
}

void ReceivedAnswers::Differs(const Key& key, const std::string& how) {
  if (differences_++ > 0) return;
  first_ = absl::StrCat("stream '", key.stream, "', ",
                        key.sequence > 0 ? absl::StrCat("number ", key.sequence)
                                         : absl::StrCat("time ", key.timestamp_ns, " ns"),
                        ": ", how);
}

void ReceivedAnswers::Compare(const JournalReading& reading, const ReplayedStream::Answer& replayed) {
  const std::string stream(reading.stream);
  if (reading.sequence > 0) CompareOne({stream, reading.sequence, 0}, replayed);
  if (replayed.outcome == Outcome::kApplied) CompareOne({stream, 0, reading.timestamp_ns}, replayed);
}

void ReceivedAnswers::CompareOne(const Key& key, const ReplayedStream::Answer& replayed) {
  const auto place = answers_.find(key);
  if (place == answers_.end()) return;
  Received& received = place->second;
  const auto outcome = static_cast<v1::Outcome>(replayed.outcome);
  const bool again = received.outcome == v1::OUTCOME_DUPLICATE;  // of an answer that was lost
  received.found = true;
  ++compared_;
  if (received.outcome != outcome && !again) {
    return Differs(key, absl::StrCat("received ", OutcomeName(received.outcome), ", the journal gives ",
                                     OutcomeName(outcome)));
  }
  if (received.steps == 0) return;  // an answer without a forecast
  ++forecasts_;
  if (received.floats != replayed.forecast.size()) {
    return Differs(key, absl::StrCat("received a forecast of ", received.floats, " values, the model has ",
                                     replayed.forecast.size()));
  }
  for (std::size_t i = 0; i < received.floats; ++i) {
    const float value = floats_[received.first + i];
    if (SameBits(value, replayed.forecast[i])) continue;
    return Differs(key, absl::StrCat("received ", Digits(value), " as value ", i + 1,
                                     " of the forecast, the journal gives ", Digits(replayed.forecast[i])));
  }
  if (received.steps != replayed.steps || received.quality != replayed.quality ||
      !SameBits(received.anomaly_score, replayed.anomaly_score)) {
    Differs(key, absl::StrCat("received steps ", received.steps, ", quality ", received.quality,
                              ", anomaly score ", Digits(received.anomaly_score), "; the journal gives ",
                              replayed.steps, ", ", replayed.quality, ", ", Digits(replayed.anomaly_score)));
  }
}

void ReceivedAnswers::Finish() {
  for (const auto& [key, received] : answers_) {
    if (received.outcome == v1::OUTCOME_APPLIED && !received.found) {
      Differs(key, "received APPLIED, and the journal has no such reading");
    }
  }
}

}  // namespace tidegate
