#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/stream/stream.h"

namespace tidegate {

// Many streams, each answered as ReplayedStream answers it, bit for bit; but in one flat table and stepped in
// batches, so that a client can afford to check every answer of a server that it keeps busy. Not thread-safe.
class ReplayTable {
 public:
  struct Sent {
    std::uint32_t stream;
    Reading reading;
  };

  // Columns, a row for each reading, as in tidegate.v1.PushResponse.
  struct Answers {
    std::vector<Outcome> outcome;
    std::vector<Reason> reason;
    std::vector<float> forecast;       // [N, horizon, Q]; NaN: there is none
    std::vector<float> anomaly_score;  // NaN: there is none
    std::vector<std::uint32_t> steps;
    std::vector<std::uint32_t> quality;
  };

  // Streams 0 to streams - 1, none of which has taken a reading.
  ReplayTable(std::shared_ptr<const Model> model, std::size_t streams);

  // Takes readings in their order; several may be of one stream. latest_ns: see Decide. The answers stand
  // until the next call.
  const Answers& Push(std::span<const Sent> sent, std::int64_t latest_ns);

  const Model& model() const { return *model_; }
  const StreamHeader& header(std::uint32_t stream) const { return headers_[stream]; }

 private:
  struct Row {  // of the batch: a reading on its way, on a copy of its stream
    std::uint32_t i;
    Decision decision;
    StreamHeader header;
    std::uint32_t bridges;  // left
    bool imputed;
    bool sound;
  };

  std::span<float> Floats(std::uint32_t stream) { return {&floats_[stream * width_], width_}; }
  StreamRef Copy(std::size_t row) { return {*model_, rows_[row].header, {&copies_[row * width_], width_}}; }
  void Clear(std::size_t readings);
  void Plan(std::uint32_t i, const Sent& sent, std::int64_t latest_ns);
  void StepRows(std::span<const Sent> sent);
  void FinishRow(std::size_t r, const Sent& sent);
  void RefuseReading(std::uint32_t i, const Sent& sent, const Decision& decision);
  void AnswerFrom(const StreamHeader& header, std::uint32_t i, Outcome outcome);

  std::shared_ptr<const Model> model_;
  std::size_t width_;                      // floats of a stream
  std::vector<StreamHeader> headers_;      // [streams]
  std::vector<float> floats_;              // [streams, width]
  std::vector<std::uint64_t> last_batch_;  // [streams] that took a reading of it
  std::uint64_t batch_ = 0;

  std::vector<Row> rows_;      // of the batch
  std::vector<float> copies_;  // [rows, width]
  std::vector<std::size_t> active_, next_active_;
  std::vector<std::uint32_t> waiting_, postponed_;  // readings
  std::vector<float*> states_;
  std::vector<float> inputs_;   // [rows, inputs]
  std::vector<float> outputs_;  // [rows, horizon, Q]
  Model::Workspace workspace_;
  Answers answers_;
};

}  // namespace tidegate
