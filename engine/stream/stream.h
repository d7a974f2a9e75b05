#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/model/model.h"

namespace tidegate {

// The stream contract as functions without side effects: the server's shards, training and every offline tool
// call these, so that all of them mean the same by a reading, a missing value and a forecast.
//
// One reading goes: Decide -> (for each bridged step and then the reading: Prepare, Model::Step, Finish).
// Between Prepare and Finish the caller steps many streams as one batch.

// The numbers are those of tidegate.v1.Outcome, Reason and Quality.
enum class Outcome : std::uint8_t {
  kApplied = 1,
  kDuplicate = 2,
  kConflict = 3,
  kLate = 4,
  kInvalid = 7,
  kOverloaded = 8
};
enum class Reason : std::uint8_t {
  kNone = 0,
  kInfiniteValue = 1,
  kNegativeTimestamp = 2,
  kFutureTimestamp = 3,
  kStreamId = 4,
  kOtherModel = 5,
  kUnknownHandle = 6,
  kStreamDeleted = 7,
};
namespace quality {
inline constexpr std::uint32_t kCold = 1, kBridged = 2, kRestarted = 4, kImputed = 8;
}

// What a stream is beside its floats. All zero: a stream before its first reading.
struct StreamHeader {
  std::int64_t timestamp_ns = 0;  // of the last applied reading
  std::uint64_t digest = 0;       // of its values' bits: tells a retry from a conflict
  std::uint32_t steps = 0;        // network steps since the start, bridged ones included; saturates
  std::uint32_t quality = 0;      // bits of the last answer
  float anomaly_score = 0;        // of the last reading
};

// Floats of one stream, in this order: the network's state, the last known value of each feature, less the
// cycle if the model has one [F] (NaN: none yet), the median forecast of the next reading's target [1] (NaN:
// none).
inline std::size_t StreamFloats(const Model& model) {
  return model.state_floats() + model.spec().features.size() + 1;
}

// Memory that one stream takes, its id and the table's own bookkeeping left out.
inline std::size_t StreamBytes(const Model& model) {
  return sizeof(StreamHeader) + StreamFloats(model) * sizeof(float);
}

// Makes header and floats [StreamFloats] those of a new stream.
void StartStream(const Model& model, StreamHeader& header, std::span<float> floats);

struct Reading {
  std::int64_t timestamp_ns;
  std::span<const float> values;  // [F], NaN: missing
};

struct Decision {
  Outcome outcome = Outcome::kApplied;
  Reason reason = Reason::kNone;
  bool restart = false;       // call StartStream before the steps
  bool first = false;         // a restart because this is the stream's first reading
  std::uint32_t bridges = 0;  // steps without values before the reading's own
};

// What `reading` means to a stream. latest_ns: readings later than this are refused (now + allowed skew).
// k = round((t - t_last) / interval): k = 0 is LATE, 1 the next tick, up to bridge_limit + 1 bridged, above
// it a restart.
Decision Decide(const ModelSpec& spec, const StreamHeader& header, const Reading& reading,
                std::int64_t latest_ns);

// Fills `inputs` [spec().inputs()] for one step at time `timestamp_ns`: levels then differences, each clipped
// to
// +-8, then the channel's number if the model has channels. `values` [F] may hold NaN: such a feature keeps
// its last known value; empty `values` is a bridged step. Scores the target against the forecast made for it,
// and remembers the values. Returns true if a value was missing.
bool Prepare(const Model& model, StreamHeader& header, std::span<float> floats, std::int64_t timestamp_ns,
             std::span<const float> values, std::span<float> inputs);

// After Model::Step: turns its row of `outputs` [horizon, Q] into the target's unit in place (NaN if the
// target was never seen) and remembers the median of step 1. timestamp_ns: of the step.
void Finish(const Model& model, std::span<float> floats, std::int64_t timestamp_ns, std::span<float> outputs);

// After the reading's own step (not a bridged one): books time, digest and quality.
void Commit(const ModelSpec& spec, StreamHeader& header, const Reading& reading, const Decision& decision,
            bool imputed);

// The scaled inputs of one reading; what Prepare and the training share. cycle: as Model::cycle(), or empty.
// previous [F]: last known values less the cycle, updated.
void ScaleInputs(const ModelSpec& spec, std::span<const float> cycle, std::int64_t timestamp_ns,
                 std::span<const float> values, std::span<float> previous, std::span<float> inputs);

// Row of a cycle of n steps at a time, 0 to n - 1: round-down of timestamp / interval, modulo n.
std::size_t CycleRow(const ModelSpec& spec, std::int64_t timestamp_ns);

// What the network sees of an input: at most 8 deviations.
float ClipInput(float scaled);

}  // namespace tidegate
