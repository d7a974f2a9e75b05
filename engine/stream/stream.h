#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "engine/model/model.h"
#include "engine/stream/calibration.h"
#include "engine/stream/held.h"

namespace tidegate {

// The stream contract as functions without side effects: the server's shards, training and every offline tool
// call these, so that all of them mean the same by a reading, a missing value and a forecast.
//
// One reading goes: Decide -> (for each bridged step and then the reading: Prepare, Model::Step, Finish) ->
// Commit. Between Prepare and Finish the caller steps many streams as one batch.
//
// With a reorder window of W ticks (ModelSpec) a reading that is not the next tick waits in the stream's
// floats for those before it. It is stepped as soon as it is the next tick, or when a reading W or more ticks
// later than it has come: what is missing then would be more than W ticks late, and is bridged. So the
// readings that a stream has stepped depend on which have come, not on their order, as long as none comes
// after one that is more than W ticks later; and a W of 0 is the contract without a window. Only where a
// stream begins, or begins anew after a jump of more than bridge_limit + 1 + W ticks, it does so at once with
// the reading that came. Nothing is stepped but when a reading of the stream comes. Such a reading goes:
//   while Decide says release: the oldest held reading takes its steps -> Commit, RemoveOldestHeld
//   then the reading's own steps -> Commit, and its answer is made; or, if Decide says hold: Hold
//   after its own steps, while DecideRelease says release: as above
// A held reading whose step would leave a state that is not finite is dropped: RemoveOldestHeld alone.

// The numbers are those of tidegate.v1.Outcome, Reason and Quality.
enum class Outcome : std::uint8_t {
  kApplied = 1,
  kDuplicate = 2,
  kConflict = 3,
  kLate = 4,
  kSequenceGap = 5,
  kUnknownStream = 6,
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
  kPoisonedState = 8,
  kDiskFull = 9,
};
namespace quality {
inline constexpr std::uint8_t kCold = 1, kBridged = 2, kRestarted = 4, kImputed = 8, kGap = 16;
inline constexpr std::uint8_t kHeld = 32;  // of an answer only, never of a header
}  // namespace quality

// What a stream is beside its floats. All zero: a stream before its first reading.
struct StreamHeader {
  std::int64_t timestamp_ns = 0;  // of the last applied reading
  std::uint64_t digest = 0;       // of its values' bits: tells a retry from a conflict
  std::uint64_t sequence = 0;     // the last number that was taken, 0: none
  std::uint32_t steps = 0;        // network steps since the start, bridged ones included; saturates
  float anomaly_score = 0;        // of the last reading
  std::uint32_t refused_digest =
      0;  // of the reading with the last number, time included, if `refused` is set
  // What became of it if it is not the last applied reading: kLate or kInvalid, or kApplied if one without a
  // number was applied after it, or it is held, or a held one was applied after it.
  Outcome refused = {};
  Reason refused_reason = Reason::kNone;
  std::uint8_t quality = 0;  // bits of the last answer
};

// Floats of one stream, see StreamLayout.
inline std::size_t StreamFloats(const Model& model) { return model.layout().floats; }

// Memory that one stream takes, its id and the table's own bookkeeping left out.
inline std::size_t StreamBytes(const Model& model) {
  return sizeof(StreamHeader) + StreamFloats(model) * sizeof(float);
}

// A stream where it lies: the caller's header and floats.
struct StreamRef {
  StreamRef(const Model& model, StreamHeader& h, std::span<float> floats)  // [StreamFloats]
      : StreamRef(h, floats.data(), floats.data() + model.layout().kept,
                  floats.data() + model.layout().held) {}
  StreamRef(StreamHeader& h, float* k, float* r, float* w) : header(h), kept(k), rings(r), held(w) {}
  StreamHeader& header;
  float* kept;   // [layout().kept]
  float* rings;  // [layout().held - layout().kept]
  float* held;   // [layout().floats - layout().held]
};

// Makes the stream a new one.
void StartStream(const Model& model, StreamRef stream);

struct Reading {
  std::int64_t timestamp_ns;
  std::span<const float> values;  // [F], NaN: missing
  std::uint64_t sequence = 0;     // the client's number of it among the stream's: 1, 2, ...; 0: not numbered
  bool accept_gap = false;        // numbers that are missing before it are given up
};

struct Decision {
  Outcome outcome = Outcome::kApplied;
  Reason reason = Reason::kNone;
  bool again = false;    // kDuplicate: of the last applied reading, so its forecast is answered again
  bool hold = false;     // kApplied: takes no step now, call Hold; kDuplicate: of a reading that is held
  bool release = false;  // kApplied: the steps are those of the oldest held reading; then decide again
  bool refuse_number = false;  // kLate, kInvalid: its number is used up, see Refuse
  bool restart = false;        // call Restart before the steps
  bool first = false;          // a restart because this is the stream's first reading
  bool gap = false;            // numbers before it were given up
  std::uint32_t bridges = 0;   // steps without values before the reading's own
};

// What `reading` means to a stream. latest_ns: readings later than this are refused (now + allowed skew).
// By number, n the last one taken:
//   n or less   a retry. The last applied reading: DUPLICATE with its forecast; the reading refused under n:
//               its outcome once more; n with another reading: CONFLICT; older, or held, or applied before
//               one that was held: DUPLICATE without a forecast
//   n + 1       decided by time; LATE and INVALID use the number up
//   above       SEQUENCE_GAP, of a stream without a past UNKNOWN_STREAM; with accept_gap decided by time
// By time, k = round((t - t_last) / interval): k = 0 is LATE, 1 the next tick, up to bridge_limit + 1
// bridged, above it a restart. Without a number, the last time again is a DUPLICATE or a CONFLICT.
// held: of the stream; none if the model has no reorder window. A tick whose reading is held is taken as the
// last one is: the time of the held reading once more is, without a number, a DUPLICATE (without a forecast)
// or a CONFLICT; else a reading for the tick is LATE.
Decision Decide(const ModelSpec& spec, const StreamHeader& header, const Reading& reading,
                std::int64_t latest_ns, const HeldReadings& held = {});

// Whether the oldest held reading of a stream is to be stepped (release) or none (hold).
Decision DecideRelease(const ModelSpec& spec, const StreamHeader& header, const HeldReadings& held);

// Begins the stream anew for a decision that says so. What is known of the sensor itself, the calibration of
// its intervals and how well it was forecast, stays unless it is the first reading; so do readings that are
// held.
void Restart(const Model& model, StreamRef stream, const Decision& decision);

// Books the number of a reading that is not applied, if the decision says so.
void Refuse(StreamHeader& header, const Reading& reading, const Decision& decision);

// Keeps a reading for later, and books its number. held: StreamRef::held.
void Hold(const ModelSpec& spec, StreamHeader& header, float* held, const Reading& reading);

// The quality bits of the answer to a reading that is held.
inline std::uint8_t HeldQuality(const Decision& decision) {
  return static_cast<std::uint8_t>(quality::kHeld | (decision.gap ? quality::kGap : 0));
}

// The oldest held reading, whose number was booked. Its values lie in the stream's floats.
Reading OldestHeld(const HeldReadings& held);

// Fills `inputs` [spec().inputs()] for one step at time `timestamp_ns`: levels then differences, each clipped
// to +-input_limit, then the calendar's, then the channel's number if the model has channels. `values` [F]
// may hold NaN: such a feature keeps its last known value; empty `values` is a bridged step. Scores the
// target against the forecasts made for it, and remembers the values. totals: see ScoreReading. Returns true
// if a value was missing.
bool Prepare(const Model& model, StreamRef stream, std::int64_t timestamp_ns, std::span<const float> values,
             std::span<float> inputs, std::span<ScoreTotals> totals = {});

// Whether the network's step left a state that it can go on from: all of it finite.
bool IsSound(const Model& model, StreamRef stream);

// After Model::Step: turns its row of `outputs` [horizon, Q] into the target's unit in place (NaN if the
// target was never seen), at most 1e32 in size, without the stream's biases and calibration. timestamp_ns: of
// the step.
void Unscale(const Model& model, const float* kept, std::int64_t timestamp_ns, std::span<float> outputs);

// Unscale, then the stream's biases and calibration: what is answered. The same again gives the same bits.
void Express(const Model& model, StreamRef stream, std::int64_t timestamp_ns, std::span<float> outputs);

// Express, then remembers what will be scored.
void Finish(const Model& model, StreamRef stream, std::int64_t timestamp_ns, std::span<float> outputs);

// After the reading's own step (not a bridged one): books number, time, digest and quality. Of one that was
// held all but the number.
void Commit(const ModelSpec& spec, StreamHeader& header, const Reading& reading, const Decision& decision,
            bool imputed);

// What a state goes on with: the weights that made it, and all that model.json says of how, both by their
// checksums.
std::string StateChecksum(const Model& model);

// Whether header and floats [StreamFloats] can be a stream that has taken a reading.
bool IsStream(const Model& model, const StreamHeader& header, std::span<const float> floats);

// The scaled inputs of one reading; what Prepare and the training share. cycle: as Model::cycle(), or empty.
// previous [F]: last known values less the cycle, updated; of a model with channels the channel's number too.
// moments: with per-stream normalisation, of each feature how many values there were (up to 1,000), their
// running mean, their variance, the mean square of their differences [F, 4], updated; else not read.
void ScaleInputs(const ModelSpec& spec, std::span<const float> cycle, std::int64_t timestamp_ns,
                 std::span<const float> values, std::span<float> previous, float* moments,
                 std::span<float> inputs);

// What the network's outputs times step_deviation are to be multiplied with: 1; with per-stream normalisation
// the stream's difference deviation by the training's; with scales of the channels the channel's deviation by
// the feature's. previous, moments: as ScaleInputs left them.
float OutputScale(const ModelSpec& spec, const float* previous, const float* moments);

// Row of a cycle of n steps at a time, 0 to n - 1: the nearest whole timestamp / interval, modulo n.
std::size_t CycleRow(const ModelSpec& spec, std::size_t n, std::int64_t timestamp_ns);

// What the model sees of an input: at most input_limit deviations.
float ClipInput(const ModelSpec& spec, float scaled);

}  // namespace tidegate
