#pragma once

#include <cstdint>
#include <fstream>
#include <span>
#include <string>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "clients/cli/push_client.h"
#include "engine/stream/replay.h"
#include "server/store/journal_entry.h"

namespace tidegate {

// What a client was answered, as CSV: a row for each reading, floats with as many digits as they need to be
// the same bits again.
//   stream,timestamp_ns,sequence,outcome,steps,quality,anomaly_score,forecast_<step>_<level>...
// sequence: 0 where the reading had no number.
class AnswersWriter {
 public:
  // file: empty: nothing is written. `readings` must outlive it.
  AnswersWriter(const std::string& file, const Readings& readings, std::string stream_prefix);

  void Add(const Answer& answer);
  // Unavailable: the file cannot be written.
  absl::Status Close();

 private:
  void WriteHeader(const v1::PushResponse& response);

  const std::string file_;
  const Readings& readings_;
  const std::string prefix_;
  std::ofstream out_;
  bool begun_ = false;
};

// The answers of such files, to be held against a replay of the server's journal. Not thread-safe.
class ReceivedAnswers {
 public:
  // Takes the rows of a file. InvalidArgument, naming file and line: it is not one of AnswersWriter's.
  absl::Status Read(const std::string& file);

  // Compares what was received for a reading of the journal, if anything was, with what the replay gives.
  // InvalidArgument never: a difference is counted, the first one told.
  void Compare(const JournalReading& reading, const ReplayedStream::Answer& replayed);

  // After all: what was received as APPLIED and is not in the journal are differences too.
  void Finish();

  std::size_t size() const { return answers_.size(); }
  std::size_t compared() const { return compared_; }        // outcomes
  std::size_t forecasts() const { return forecasts_; }      // of these also with forecast
  std::size_t differences() const { return differences_; }  // answers
  const std::string& first() const { return first_; }       // difference, in words; empty: none

 private:
  // By number, or by time where there is none: the other is 0.
  struct Key {
    std::string stream;
    std::uint64_t sequence = 0;
    std::int64_t timestamp_ns = 0;
    bool operator==(const Key&) const = default;
    template <typename H>
    friend H AbslHashValue(H h, const Key& key) {
      return H::combine(std::move(h), key.stream, key.sequence, key.timestamp_ns);
    }
  };
  struct Received {
    v1::Outcome outcome = {};
    std::uint32_t steps = 0, quality = 0;
    float anomaly_score = 0;
    std::size_t first = 0, floats = 0;  // of floats_
    bool found = false;                 // in the journal
  };

  void CompareOne(const Key& key, const ReplayedStream::Answer& replayed);
  void Differs(const Key& key, const std::string& how);

  absl::flat_hash_map<Key, Received> answers_;
  std::vector<float> floats_;
  std::size_t compared_ = 0, forecasts_ = 0, differences_ = 0;
  std::string first_;
};

}  // namespace tidegate
