#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "engine/stream/stream.h"

namespace tidegate {

// One stream, alone, as a server would serve it: what it answers to the same readings in the same order, bit
// for bit. For checking a server, and for trying a model on past readings. Not thread-safe.
class ReplayedStream {
 public:
  explicit ReplayedStream(std::shared_ptr<const Model> model);

  // A stream that goes on from a state. Requires IsStream.
  ReplayedStream(std::shared_ptr<const Model> model, const StreamHeader& header, std::vector<float> floats);

  struct Answer {
    Outcome outcome = {};
    Reason reason = Reason::kNone;
    std::vector<float> forecast;  // [horizon, Q], right after the reading's own step; NaN: there is none
    float anomaly_score = 0;      // NaN: there is none
    std::uint32_t steps = 0;
    std::uint32_t quality = 0;
    std::uint64_t sequence = 0;  // the last number taken
  };

  // latest_ns: see Decide.
  Answer Push(const Reading& reading, std::int64_t latest_ns);

  // Its next reading is its first.
  void Reset() { header_ = {}; }

  const StreamHeader& header() const { return header_; }
  std::vector<float>& floats() { return floats_; }  // [StreamFloats]

 private:
  // One step on `stream`; true if a value was missing.
  bool Step(StreamRef stream, std::int64_t timestamp_ns, std::span<const float> values,
            std::vector<float>& forecast);
  // All steps of a reading; false: they would leave a state that is not finite, and nothing changed.
  bool Take(const Reading& reading, const Decision& decision, std::vector<float>& forecast);
  void Release(const Decision& decision);
  HeldReadings held() const { return {model_->spec(), floats_.data() + model_->layout().held}; }
  Answer AnswerOf(Outcome outcome, std::vector<float> forecast) const;

  std::shared_ptr<const Model> model_;
  StreamHeader header_;
  std::vector<float> floats_;
  std::vector<float> inputs_;
  Model::Workspace workspace_;
};

}  // namespace tidegate
