#include "engine/stream/seasonal_bias.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "engine/stream/layout.h"
#include "engine/stream/stream.h"

namespace tidegate {
namespace {

constexpr float kPull = 1.0f / 60;   // at each visit of a part, if all steps erred to one side
constexpr float kMostShift = 1e37f;  // so that what is shifted stays a number

// The running absolute error of scored step k.
float ErrorOf(const StreamLayout& layout, const float* kept, std::size_t k) {
  TrackedStep mean;
  std::memcpy(&mean, kept + layout.tracked + k * layout.tracked_width, sizeof mean);
  return mean.mae;
}

}  // namespace

void LearnBias(const Model& model, std::uint32_t step, std::int64_t timestamp_ns, float target, float* kept,
               const float* rings) {
  const ModelSpec& spec = model.spec();
  if (spec.bias_period == 0 || std::isnan(target)) return;
  const StreamLayout& layout = model.layout();
  const std::size_t levels = spec.quantiles.size();
  float side = 0;
  for (std::size_t k = 0; k < layout.steps.size(); ++k) {
    const float error = target - rings[layout.rings[k] + layout.RingRow(k, step) * levels + levels / 2];
    if (std::isfinite(error) && error != 0) side += std::copysign(1.0f, error);
  }
  kept[layout.bias + CycleRow(spec, spec.bias_period, timestamp_ns) * layout.biases / spec.bias_period] +=
      kPull * side / static_cast<float>(layout.steps.size());
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
  std::size_t h = 0, place = CycleRow(spec, spec.bias_period, timestamp_ns);
  float unit = ErrorOf(layout, kept, 0), usual = 0;
  for (std::size_t k = 0; k < layout.steps.size(); ++k)
    usual += ErrorOf(layout, kept, k) / static_cast<float>(layout.steps.size());
  for (std::size_t k = 0; k < layout.steps.size(); ++k) {  // from the scored step k to the next
    const bool last = k + 1 == layout.steps.size();
    const std::size_t end = last ? spec.horizon : layout.steps[k + 1] - 1;
    const float slope = last ? 0
                             : (ErrorOf(layout, kept, k + 1) - unit) /
                                   static_cast<float>(layout.steps[k + 1] - layout.steps[k]);
    for (; h < end; ++h, unit += slope) {
      place = place + 1 == spec.bias_period ? 0 : place + 1;
      const float bias = biases[place * layout.biases / spec.bias_period] - mean;
      const float shift = std::clamp(std::min(unit, usual) * bias, -kMostShift, kMostShift);
      for (std::size_t q = 0; q < levels; ++q) forecast[h * levels + q] += shift;
    }
  }
}

}  // namespace tidegate
