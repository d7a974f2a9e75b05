#include "engine/stream/seasonal_bias.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

#include "engine/stream/layout.h"

namespace tidegate {
namespace {

constexpr float kPull = 1.0f / 60;  // of the mean absolute error, at each visit of a part
constexpr float kMostBias = std::numeric_limits<float>::max();

// The place of a time in the season, 0 to bias_period - 1.
std::size_t PlaceOf(const ModelSpec& spec, std::int64_t timestamp_ns) {
  return static_cast<std::size_t>(timestamp_ns / spec.interval_ns) % spec.bias_period;
}

}  // namespace

void LearnBias(const Model& model, std::uint32_t step, std::int64_t timestamp_ns, float target, float* kept,
               const float* rings) {
  const ModelSpec& spec = model.spec();
  if (spec.bias_period == 0 || std::isnan(target)) return;
  const StreamLayout& layout = model.layout();
  const std::size_t levels = spec.quantiles.size();
  float pull = 0;
  for (std::size_t k = 0; k < layout.steps.size(); ++k) {
    const float error = target - rings[layout.rings[k] + layout.RingRow(k, step) * levels + levels / 2];
    if (!std::isfinite(error) || error == 0) continue;
    TrackedStep mean;
    std::memcpy(&mean, kept + layout.tracked + k * layout.tracked_width, sizeof mean);
    pull += std::copysign(mean.mae, error) / static_cast<float>(layout.steps.size());
  }
  float& bias = kept[layout.bias + PlaceOf(spec, timestamp_ns) * layout.biases / spec.bias_period];
  bias = std::clamp(bias + kPull * pull, -kMostBias, kMostBias);
}

void AddBias(const Model& model, const float* kept, std::int64_t timestamp_ns, std::span<float> forecast) {
  const ModelSpec& spec = model.spec();
  if (spec.bias_period == 0) return;
  const StreamLayout& layout = model.layout();
  const float* const biases = kept + layout.bias;
  const auto parts = static_cast<float>(layout.biases);
  float mean = 0;
  for (std::size_t part = 0; part < layout.biases; ++part) mean += biases[part] / parts;
  const std::size_t levels = spec.quantiles.size();
  std::size_t place = PlaceOf(spec, timestamp_ns);
  for (std::size_t h = 0; h < spec.horizon; ++h) {
    place = place + 1 == spec.bias_period ? 0 : place + 1;
    const float shift = biases[place * layout.biases / spec.bias_period] - mean;
    for (std::size_t q = 0; q < levels; ++q) forecast[h * levels + q] += shift;
  }
}

}  // namespace tidegate
