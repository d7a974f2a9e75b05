#include "engine/stream/stream.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "absl/strings/str_cat.h"
#include "engine/model/model_file.h"
#include "engine/stream/seasonal_bias.h"
#include "engine/tensor/nan.h"

namespace tidegate {
namespace {

constexpr float kMost = std::numeric_limits<float>::max();
// No forecast is larger, so that no correction of it or of its interval is beyond all numbers.
constexpr float kMostForecast = 1e32f;
constexpr float kScaleMemory = 1000;  // values that per-stream moments look back on
// Behind so many values, one that is further away than so many deviations counts as if it were there: it must
// not make all others small, and a sensor that begins to move after it stood still has its scale in some ten.
constexpr float kScaleKnown = 30, kMostGlitch = 50;
constexpr float kSizeMemory = 2000;  // readings that the size of residuals looks back on
constexpr float kMostSurprise = 5;   // times the usual size; what one residual counts as in it
constexpr float kLeastSize =
    0.05f;  // of the validation's size: a stuck sensor is not to make noise an anomaly

struct Scale {
  float mean, deviation, difference_deviation;
};

// A glitch of a sensor, as far as moments take it in.
float Limited(float value, float square, const Feature& feature) {
  const float most = kMostGlitch * std::max(std::sqrt(square), feature.resolution / 4);
  return most > 0 ? std::clamp(value, -most, most) : value;
}

// Takes a value into the moments [4] of its feature.
void Follow(float value, float previous, const Feature& feature, float* moments) {
  float& count = moments[0];
  const bool known = count >= kScaleKnown;
  count = std::min(count + 1, kScaleMemory);
  const float weight = 1 / count;
  float over = value - moments[1];
  if (known) over = Limited(over, moments[2], feature);
  moments[1] += weight * over;
  moments[2] += weight * (over * (over - weight * over) - moments[2]);
  float difference = std::isnan(previous) ? 0 : value - previous;
  if (known) difference = Limited(difference, moments[3], feature);
  const float difference_weight = 1 / std::max(count - 1, 1.0f);  // the first value has none
  moments[3] += difference_weight * (difference * difference - moments[3]);
  for (float* m = moments + 1; m < moments + 4; ++m) *m = std::clamp(*m, -kMost, kMost);
}

// Never divides by 0: what has not varied yet is 0 deviations away.
Scale ScaleOf(const float* moments, const Feature& feature) {
  const float least = std::max(feature.resolution / 4, std::numeric_limits<float>::min());
  return {moments[1], std::max(std::sqrt(moments[2]), least), std::max(std::sqrt(moments[3]), least)};
}

// FNV-1a (Fowler, Noll, Vo) over the bits of the values; all NaNs count as one.
std::uint64_t Digest(std::span<const float> values) {
  std::uint64_t hash = 14695981039346656037u;
  for (const float value : values) {
    std::uint32_t bits = 0x7fc00000;
    if (!std::isnan(value)) std::memcpy(&bits, &value, sizeof bits);
    hash = (hash ^ bits) * 1099511628211u;
  }
  return hash;
}

// Of a whole reading, from that of its values.
std::uint32_t FullDigest(std::uint64_t values, std::int64_t timestamp_ns) {
  const std::uint64_t whole = (values ^ static_cast<std::uint64_t>(timestamp_ns)) * 1099511628211u;
  return static_cast<std::uint32_t>(whole >> 32);
}

std::uint32_t FullDigest(const Reading& reading) {
  return FullDigest(Digest(reading.values), reading.timestamp_ns);
}

std::span<float> LastValues(const Model& model, StreamRef stream) {
  return {stream.kept + model.layout().last_values, model.spec().features.size()};
}

// All that a restart forgets.
void StartPast(const Model& model, StreamRef stream) {
  const StreamLayout& layout = model.layout();
  std::fill_n(stream.kept, layout.last_values, 0.0f);
  std::fill_n(stream.kept + layout.last_values, layout.moments - layout.last_values, kNaN);
  std::fill_n(stream.kept + layout.moments, layout.last_target - layout.moments, 0.0f);
  stream.kept[layout.last_target] = kNaN;
  ForgetForecasts(model, stream.rings);
}

// How unusual the target is beside the forecast made for it: as if the stream's residuals were usually as
// large as the validation's.
float ScoreAnomaly(const Model& model, StreamRef stream, float target) {
  const StreamLayout& layout = model.layout();
  const std::size_t levels = model.spec().quantiles.size();
  // The ring of step 1 has one row. Residuals count in the scale that their forecast was made in, so that a
  // channel, or a stream with moments of its own, is not measured by the range of others.
  const float* const moments = stream.kept + layout.moments;
  if (model.spec().per_stream && moments[4 * model.spec().target] < 2) return kNaN;  // it has no scale yet
  const float scale = OutputScale(model.spec(), stream.kept + layout.last_values, moments);
  const float residual = std::abs(target - stream.rings[levels / 2]) / scale;
  if (!std::isfinite(residual) || model.residuals().quantiles().empty()) return kNaN;
  float& size = stream.kept[layout.residual_size];
  const float usual = model.residuals().mean();
  const float least = kLeastSize * usual;
  const float score =
      model.residuals().Score(size > least ? residual * (usual / size) : residual * (1 / kLeastSize));
  size += (std::min(residual, kMostSurprise * std::max(size, least)) - size) * (1 / kSizeMemory);
  return score;
}

// Of the next reading to be stepped, k ticks after the last one.
Decision StepOver(const ModelSpec& spec, std::int64_t ticks) {
  const auto missing = static_cast<std::uint64_t>(ticks - 1);
  if (missing > spec.bridge_limit) return {.restart = true};
  return {.bridges = static_cast<std::uint32_t>(missing)};
}

bool IsHeld(const HeldReadings& held, const Reading& reading) {
  if (held.empty()) return false;
  const auto i = held.SameTick(reading.timestamp_ns);
  return i && held.timestamp_ns(*i) == reading.timestamp_ns &&
         Digest(held.values(*i)) == Digest(reading.values);
}

// Whether the oldest of `count` readings waits for none any more.
bool IsDue(const ModelSpec& spec, const StreamHeader& header, std::int64_t oldest_ns, std::int64_t newest_ns,
           std::size_t count) {
  const auto window = static_cast<std::int64_t>(spec.reorder_window);
  const std::int64_t ticks = TicksBetween(spec, header.timestamp_ns, oldest_ns);
  return ticks == 1 || ticks > static_cast<std::int64_t>(spec.bridge_limit) + 1 + window ||
         TicksBetween(spec, oldest_ns, newest_ns) >= window || count > spec.reorder_window;
}

// Of a reading that is later than the last applied one.
Decision DecideInWindow(const ModelSpec& spec, const StreamHeader& header, const Reading& reading,
                        const HeldReadings& held) {
  const std::int64_t time = reading.timestamp_ns;
  std::int64_t oldest = time, newest = time;
  std::size_t count = 1;
  if (!held.empty()) {
    if (const auto i = held.SameTick(time)) {
      if (held.timestamp_ns(*i) != time || reading.sequence != 0) return {.outcome = Outcome::kLate};
      const bool same = IsHeld(held, reading);
      return {.outcome = same ? Outcome::kDuplicate : Outcome::kConflict, .hold = same};
    }
    count += held.size();
    oldest = std::min(oldest, held.timestamp_ns(0));
    newest = std::max(newest, held.timestamp_ns(count - 2));
  }
  if (!IsDue(spec, header, oldest, newest, count)) return {.hold = true};
  Decision decision = StepOver(spec, TicksBetween(spec, header.timestamp_ns, oldest));
  decision.release = oldest != time;
  return decision;
}

Decision DecideByTime(const ModelSpec& spec, const StreamHeader& header, const Reading& reading,
                      std::int64_t latest_ns, const HeldReadings& held) {
  const auto invalid = [](Reason reason) { return Decision{.outcome = Outcome::kInvalid, .reason = reason}; };
  const auto infinite = [](float v) { return std::isinf(v); };
  if (std::any_of(reading.values.begin(), reading.values.end(), infinite))
    return invalid(Reason::kInfiniteValue);
  if (reading.timestamp_ns < 0) return invalid(Reason::kNegativeTimestamp);
  if (reading.timestamp_ns > latest_ns) return invalid(Reason::kFutureTimestamp);
  if (header.steps == 0) return {.restart = true, .first = true};

  const std::int64_t elapsed = reading.timestamp_ns - header.timestamp_ns;
  if (elapsed == 0 && reading.sequence == 0) {
    const bool same = Digest(reading.values) == header.digest;
    return {.outcome = same ? Outcome::kDuplicate : Outcome::kConflict, .again = same};
  }
  const std::int64_t ticks = TicksBetween(spec, header.timestamp_ns, reading.timestamp_ns);
  if (ticks == 0) return {.outcome = Outcome::kLate};
  if (spec.reorder_window > 0) return DecideInWindow(spec, header, reading, held);
  return StepOver(spec, ticks);
}

// Of a reading whose number was taken before.
Decision DecideRetry(const StreamHeader& header, const Reading& reading, const HeldReadings& held) {
  const bool last = reading.sequence == header.sequence;
  const bool applied = header.steps > 0 && reading.timestamp_ns == header.timestamp_ns &&
                       Digest(reading.values) == header.digest;
  if (last && header.refused != Outcome{}) {
    if (FullDigest(reading) != header.refused_digest) return {.outcome = Outcome::kConflict};
    if (header.refused != Outcome::kApplied)
      return {.outcome = header.refused, .reason = header.refused_reason};
  } else if (last && !applied) {
    return {.outcome = Outcome::kConflict};
  }
  if (applied) return {.outcome = Outcome::kDuplicate, .again = true};
  return {.outcome = Outcome::kDuplicate, .hold = header.steps > 0 && IsHeld(held, reading)};
}

// Before the last applied reading is another one: if it has the last number, retries of it are known by the
// header alone from now on.
void RememberNumber(StreamHeader& header) {
  if (header.sequence == 0 || header.refused != Outcome{}) return;
  header.refused = Outcome::kApplied;
  header.refused_digest = FullDigest(header.digest, header.timestamp_ns);
}

}  // namespace

float ClipInput(const ModelSpec& spec, float scaled) {
  return std::clamp(scaled, -spec.input_limit, spec.input_limit);
}

void StartStream(const Model& model, StreamRef stream) {
  stream.header = {};
  stream.header.anomaly_score = kNaN;
  StartPast(model, stream);
  StartCalibration(model, stream.kept);
  ClearHeld(model.spec(), stream.held);
}

Decision Decide(const ModelSpec& spec, const StreamHeader& header, const Reading& reading,
                std::int64_t latest_ns, const HeldReadings& held) {
  if (reading.sequence == 0) return DecideByTime(spec, header, reading, latest_ns, held);
  if (reading.sequence <= header.sequence) return DecideRetry(header, reading, held);
  const bool gap = reading.sequence - header.sequence > 1;
  if (gap && !reading.accept_gap) {
    const bool past = header.steps > 0 || header.sequence > 0;
    return {.outcome = past ? Outcome::kSequenceGap : Outcome::kUnknownStream};
  }
  Decision decision = DecideByTime(spec, header, reading, latest_ns, held);
  decision.gap = gap && !decision.release;
  decision.refuse_number = decision.outcome != Outcome::kApplied;
  return decision;
}

Decision DecideRelease(const ModelSpec& spec, const StreamHeader& header, const HeldReadings& held) {
  if (header.steps == 0 || held.empty()) return {.hold = true};
  const std::size_t count = held.size();
  const std::int64_t oldest = held.timestamp_ns(0);
  if (!IsDue(spec, header, oldest, held.timestamp_ns(count - 1), count)) return {.hold = true};
  Decision decision = StepOver(spec, TicksBetween(spec, header.timestamp_ns, oldest));
  decision.release = true;
  return decision;
}

void Restart(const Model& model, StreamRef stream, const Decision& decision) {
  RememberNumber(stream.header);
  const StreamHeader before = stream.header;
  if (decision.first) {
    StartStream(model, stream);
  } else {
    stream.header = {};
    stream.header.anomaly_score = kNaN;
    StartPast(model, stream);
  }
  stream.header.sequence = before.sequence;
  stream.header.refused = before.refused;
  stream.header.refused_reason = before.refused_reason;
  stream.header.refused_digest = before.refused_digest;
}

void Refuse(StreamHeader& header, const Reading& reading, const Decision& decision) {
  if (!decision.refuse_number) return;
  header.sequence = reading.sequence;
  header.refused_digest = FullDigest(reading);
  header.refused = decision.outcome;
  header.refused_reason = decision.reason;
}

void Hold(const ModelSpec& spec, StreamHeader& header, float* held, const Reading& reading) {
  InsertHeld(spec, held, reading.timestamp_ns, reading.values);
  if (reading.sequence == 0) return;
  header.sequence = reading.sequence;
  header.refused = Outcome::kApplied;
  header.refused_reason = Reason::kNone;
  header.refused_digest = FullDigest(reading);
}

Reading OldestHeld(const HeldReadings& held) {
  return {.timestamp_ns = held.timestamp_ns(0), .values = held.values(0)};
}

std::size_t CycleRow(const ModelSpec& spec, std::size_t n, std::int64_t timestamp_ns) {
  const std::int64_t past = timestamp_ns % spec.interval_ns;
  const std::int64_t tick = timestamp_ns / spec.interval_ns + (past >= spec.interval_ns - past ? 1 : 0);
  return static_cast<std::size_t>(tick) % n;
}

float OutputScale(const ModelSpec& spec, const float* previous, const float* moments) {
  if (!spec.channel_scales.empty()) {
    const std::size_t channel = spec.ChannelOf(previous[spec.input_features()]);
    return spec.channel_scales[channel].deviation / spec.features[spec.target].deviation;
  }
  if (!spec.per_stream) return 1;
  const Feature& target = spec.features[spec.target];
  const float deviation = std::max(std::sqrt(moments[4 * spec.target + 3]), target.resolution / 4);
  return deviation / target.difference_deviation;
}

void ScaleInputs(const ModelSpec& spec, std::span<const float> cycle, std::int64_t timestamp_ns,
                 std::span<const float> values, std::span<float> previous, float* moments,
                 std::span<float> inputs) {
  const std::size_t features = spec.input_features();
  float* const levels = inputs.data();
  float* const differences = inputs.data() + (spec.level_inputs ? features : 0);
  if (spec.channels > 0 && !values.empty() && !std::isnan(values[features])) {
    previous[features] = values[features];
  }
  const bool own_scales = !spec.channel_scales.empty();
  const std::size_t channel = own_scales ? spec.ChannelOf(previous[features]) : 0;
  const float* const usual =
      cycle.empty()
          ? nullptr
          : cycle.data() + CycleRow(spec, spec.cycle, timestamp_ns) * spec.cycle_columns() + channel;
  for (std::size_t f = 0; f < features; ++f) {
    const Feature& feature = own_scales ? spec.channel_scales[channel] : spec.features[f];
    const bool missing = values.empty() || std::isnan(values[f]);
    // A difference of two values may be beyond all floats, and is not to come back as infinity less infinity.
    const float now = missing            ? previous[f]
                      : usual == nullptr ? values[f]
                                         : std::clamp(values[f] - usual[f], -kMost, kMost);
    const bool known = !std::isnan(now);
    Scale scale = {feature.mean, feature.deviation, feature.difference_deviation};
    if (spec.per_stream) {
      if (!missing) Follow(now, previous[f], feature, moments + 4 * f);
      scale = ScaleOf(moments + 4 * f, feature);
    }
    if (spec.level_inputs) levels[f] = known ? ClipInput(spec, (now - scale.mean) / scale.deviation) : 0;
    if (spec.difference_inputs) {
      const bool both = known && !std::isnan(previous[f]);
      differences[f] = both ? ClipInput(spec, (now - previous[f]) / scale.difference_deviation) : 0;
    }
    previous[f] = now;
  }
  if (!spec.calendar.empty()) FillCalendar(spec.calendar, timestamp_ns, inputs.subspan(spec.value_inputs()));
  if (spec.channels == 0) return;
  inputs.back() = std::isnan(previous[features]) ? 0 : previous[features];
}

bool Prepare(const Model& model, StreamRef stream, std::int64_t timestamp_ns, std::span<const float> values,
             std::span<float> inputs, std::span<ScoreTotals> totals) {
  const ModelSpec& spec = model.spec();
  const float target = values.empty() ? kNaN : values[spec.target];
  StreamHeader& header = stream.header;
  header.anomaly_score = ScoreAnomaly(model, stream, target);
  // At the last step number the rings have no next place: from there on nothing is scored.
  const bool counts = header.steps != std::numeric_limits<std::uint32_t>::max();
  const float scored = counts ? target : kNaN;
  ScoreReading(model, header.steps, scored, stream.kept, stream.rings, totals);
  LearnBias(model, header.steps, timestamp_ns, scored, stream.kept, stream.rings);
  ScaleInputs(spec, model.cycle(), timestamp_ns, values, LastValues(model, stream),
              stream.kept + model.layout().moments, inputs);
  if (counts) ++header.steps;
  return std::any_of(values.begin(), values.end(), [](float v) { return std::isnan(v); });
}

bool IsSound(const Model& model, StreamRef stream) {
  std::uint32_t most = 0;  // of the bits less the sign: infinity and NaN are above all numbers
  for (std::size_t i = 0; i < model.state_floats(); ++i) {
    most = std::max(most, std::bit_cast<std::uint32_t>(stream.kept[i]) & 0x7fffffffu);
  }
  return most < 0x7f800000u;
}

void Unscale(const Model& model, const float* kept, std::int64_t timestamp_ns, std::span<float> outputs) {
  const ModelSpec& spec = model.spec();
  const std::size_t levels = spec.quantiles.size();
  const float* const previous = kept + model.layout().last_values;
  const float last = previous[spec.target];  // NaN makes the whole forecast NaN
  const float scale = OutputScale(spec, previous, kept + model.layout().moments);
  if (model.cycle().empty()) {
    const float* const units = model.layout().units.data();
    for (std::size_t i = 0; i < outputs.size(); ++i) {
      outputs[i] = std::clamp(last + scale * units[i] * outputs[i], -kMostForecast, kMostForecast);
    }
    return;
  }
  const std::size_t column =
      spec.channel_scales.empty() ? spec.target : spec.ChannelOf(previous[spec.input_features()]);
  std::size_t row = CycleRow(spec, spec.cycle, timestamp_ns);
  for (std::size_t h = 0; h < spec.horizon; ++h) {
    row = row + 1 == spec.cycle ? 0 : row + 1;
    const float base = last + model.cycle()[row * spec.cycle_columns() + column];
    const float unit = scale * spec.step_deviation[h];
    for (std::size_t q = 0; q < levels; ++q) {
      float& y = outputs[h * levels + q];
      y = std::clamp(base + unit * y, -kMostForecast, kMostForecast);
    }
  }
}

void Express(const Model& model, StreamRef stream, std::int64_t timestamp_ns, std::span<float> outputs) {
  Unscale(model, stream.kept, timestamp_ns, outputs);
  AddBias(model, stream.kept, timestamp_ns, outputs);
  CalibrateForecast(model, stream.kept, outputs);
}

void Finish(const Model& model, StreamRef stream, std::int64_t timestamp_ns, std::span<float> outputs) {
  Express(model, stream, timestamp_ns, outputs);
  RememberForecast(model, stream.header.steps - 1, outputs, stream.rings);
}

void Commit(const ModelSpec& spec, StreamHeader& header, const Reading& reading, const Decision& decision,
            bool imputed) {
  if (decision.release || reading.sequence == 0) {
    RememberNumber(header);
  } else {
    header.sequence = reading.sequence;
    header.refused = {};
    header.refused_reason = Reason::kNone;
    header.refused_digest = 0;
  }
  header.timestamp_ns = reading.timestamp_ns;
  header.digest = Digest(reading.values);
  header.quality = static_cast<std::uint8_t>(
      (header.steps < spec.warm_up ? quality::kCold : 0) | (decision.bridges > 0 ? quality::kBridged : 0) |
      (decision.restart && !decision.first ? quality::kRestarted : 0) | (imputed ? quality::kImputed : 0) |
      (decision.gap ? quality::kGap : 0));
}

std::string StateChecksum(const Model& model) {
  ModelSpec spec = model.spec();
  spec.trained_on.clear();
  spec.validation = {};
  return absl::StrCat(spec.weights_sha256.substr(0, 32), "/", Sha256(WriteSpec(spec)).substr(0, 32));
}

bool IsStream(const Model& model, const StreamHeader& header, std::span<const float> floats) {
  const bool infinite = std::any_of(floats.begin(), floats.end(), [](float v) { return std::isinf(v); });
  return floats.size() == StreamFloats(model) && !infinite &&
         model.IsState(floats.first(model.state_floats())) && IsCalibration(model, floats.data()) &&
         header.steps > 0 && header.timestamp_ns >= 0 &&
         !(header.anomaly_score < 0 || header.anomaly_score > 1) &&
         (header.refused == Outcome{} || header.refused == Outcome::kLate ||
          header.refused == Outcome::kInvalid || header.refused == Outcome::kApplied) &&
         HeldReadings(model.spec(), floats.data() + model.layout().held).IsValid(header.timestamp_ns);
}

}  // namespace tidegate
