#include "engine/stream/layout.h"

#include <algorithm>
#include <cmath>

#include "engine/stream/held.h"

namespace tidegate {
namespace {

// Of step 1. Of step h by h^0.4 less: its hits come h readings late and in runs, and an interval that went as
// far with every one of them would swing between no width and far too much.
constexpr float kRate = 0.04f;
constexpr float kTrim = 0.06f;
constexpr float kFall = 0.4f;
// Of far steps at most so much by a whole run of h hits or misses: beyond the ratios that validation saw the
// width doubles with every fifth.
constexpr float kMostByARun = 0.25f;

}  // namespace

StreamLayout::StreamLayout(const ModelSpec& spec, std::size_t state_floats) : steps(spec.ScoredSteps()) {
  const std::size_t features = spec.features.size(), levels = spec.quantiles.size();
  last_values = state_floats;
  moments = last_values + features;
  last_target = moments + (spec.per_stream ? 4 * features : 0);
  residual_size = last_target + 1;
  naive_error = residual_size + 1;
  tracked = naive_error + 2;
  tracked_width = sizeof(TrackedStep) / sizeof(float) + levels - 1;
  bias = tracked + steps.size() * tracked_width;
  biases = spec.biases();
  kept = bias + biases;
  std::size_t ring = 0;
  for (const std::size_t step : steps) {
    const auto ahead = static_cast<float>(step);
    rates.push_back(std::min(kRate / std::pow(ahead, kFall), kMostByARun / ahead));
    trims.push_back(kTrim / std::pow(ahead, kFall));
    rings.push_back(ring);
    ring += step * levels;
  }
  for (const float deviation : spec.step_deviation) units.insert(units.end(), levels, deviation);
  held = kept + ring;
  held_width = HeldReadings::Width(features);
  floats = held + spec.reorder_window * held_width;
}

}  // namespace tidegate
