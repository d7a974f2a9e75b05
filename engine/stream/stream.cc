#include "engine/stream/stream.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace tidegate {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInputLimit = 8;  // deviations; what the network sees of an outlier

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

// The floats of a stream that are not the network's.
std::span<float> LastValues(const Model& model, std::span<float> floats) {
  return floats.subspan(model.state_floats(), model.spec().features.size());
}
float& NextMedian(std::span<float> floats) { return floats.back(); }

}  // namespace

float ClipInput(float scaled) { return std::clamp(scaled, -kInputLimit, kInputLimit); }

void StartStream(const Model& model, StreamHeader& header, std::span<float> floats) {
  header = {};
  header.anomaly_score = kNaN;
  std::fill_n(floats.begin(), model.state_floats(), 0.0f);
  std::fill(floats.begin() + static_cast<std::ptrdiff_t>(model.state_floats()), floats.end(), kNaN);
}

Decision Decide(const ModelSpec& spec, const StreamHeader& header, const Reading& reading,
                std::int64_t latest_ns) {
  const auto invalid = [](Reason reason) { return Decision{.outcome = Outcome::kInvalid, .reason = reason}; };
  const auto infinite = [](float v) { return std::isinf(v); };
  if (std::any_of(reading.values.begin(), reading.values.end(), infinite))
    return invalid(Reason::kInfiniteValue);
  if (reading.timestamp_ns < 0) return invalid(Reason::kNegativeTimestamp);
  if (reading.timestamp_ns > latest_ns) return invalid(Reason::kFutureTimestamp);
  if (header.steps == 0) return {.restart = true, .first = true};

  const std::int64_t elapsed = reading.timestamp_ns - header.timestamp_ns;
  if (elapsed == 0) {
    const bool same = Digest(reading.values) == header.digest;
    return {.outcome = same ? Outcome::kDuplicate : Outcome::kConflict};
  }
  // Rounded to the nearest tick, half up; written so that it cannot overflow.
  const std::int64_t half = spec.interval_ns / 2 + spec.interval_ns % 2;
  const std::int64_t ticks =
      elapsed < 0 ? 0 : elapsed / spec.interval_ns + (elapsed % spec.interval_ns >= half ? 1 : 0);
  if (ticks == 0) return {.outcome = Outcome::kLate};
  const auto missing = static_cast<std::uint64_t>(ticks - 1);
  if (missing > spec.bridge_limit) return {.restart = true};
  return {.bridges = static_cast<std::uint32_t>(missing)};
}

std::size_t CycleRow(const ModelSpec& spec, std::int64_t timestamp_ns) {
  return static_cast<std::size_t>(timestamp_ns / spec.interval_ns) % spec.cycle;
}

void ScaleInputs(const ModelSpec& spec, std::span<const float> cycle, std::int64_t timestamp_ns,
                 std::span<const float> values, std::span<float> previous, std::span<float> inputs) {
  const std::size_t features = spec.input_features();
  float* const levels = inputs.data();
  float* const differences = inputs.data() + (spec.level_inputs ? features : 0);
  const float* const usual =
      cycle.empty() ? nullptr : cycle.data() + CycleRow(spec, timestamp_ns) * spec.features.size();
  for (std::size_t f = 0; f < features; ++f) {
    const Feature& feature = spec.features[f];
    const bool missing = values.empty() || std::isnan(values[f]);
    const float now = missing ? previous[f] : usual == nullptr ? values[f] : values[f] - usual[f];
    const bool known = !std::isnan(now);
    if (spec.level_inputs) levels[f] = known ? ClipInput((now - feature.mean) / feature.deviation) : 0;
    if (spec.difference_inputs) {
      const bool both = known && !std::isnan(previous[f]);
      differences[f] = both ? ClipInput((now - previous[f]) / feature.difference_deviation) : 0;
    }
    previous[f] = now;
  }
  if (spec.channels == 0) return;
  if (!values.empty() && !std::isnan(values[features])) previous[features] = values[features];
  inputs.back() = std::isnan(previous[features]) ? 0 : previous[features];
}

bool Prepare(const Model& model, StreamHeader& header, std::span<float> floats, std::int64_t timestamp_ns,
             std::span<const float> values, std::span<float> inputs) {
  const ModelSpec& spec = model.spec();
  const float target = values.empty() ? kNaN : values[spec.target];
  header.anomaly_score = model.residuals().Score(target - NextMedian(floats));
  ScaleInputs(spec, model.cycle(), timestamp_ns, values, LastValues(model, floats), inputs);
  if (header.steps != std::numeric_limits<std::uint32_t>::max()) ++header.steps;
  return std::any_of(values.begin(), values.end(), [](float v) { return std::isnan(v); });
}

void Finish(const Model& model, std::span<float> floats, std::int64_t timestamp_ns,
            std::span<float> outputs) {
  const ModelSpec& spec = model.spec();
  const std::size_t levels = spec.quantiles.size();
  const float last = LastValues(model, floats)[spec.target];  // NaN makes the whole forecast NaN
  std::size_t row = model.cycle().empty() ? 0 : CycleRow(spec, timestamp_ns);
  for (std::size_t h = 0; h < spec.horizon; ++h) {
    float base = last;
    if (!model.cycle().empty()) {
      row = row + 1 == spec.cycle ? 0 : row + 1;
      base += model.cycle()[row * spec.features.size() + spec.target];
    }
    for (std::size_t q = 0; q < levels; ++q) {
      float& y = outputs[h * levels + q];
      y = base + spec.step_deviation[h] * y;
    }
  }
  NextMedian(floats) = outputs[levels / 2];
}

void Commit(const ModelSpec& spec, StreamHeader& header, const Reading& reading, const Decision& decision,
            bool imputed) {
  header.timestamp_ns = reading.timestamp_ns;
  header.digest = Digest(reading.values);
  header.quality =
      (header.steps < spec.warm_up ? quality::kCold : 0) | (decision.bridges > 0 ? quality::kBridged : 0) |
      (decision.restart && !decision.first ? quality::kRestarted : 0) | (imputed ? quality::kImputed : 0);
}

}  // namespace tidegate
