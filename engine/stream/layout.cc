#include "engine/stream/layout.h"

namespace tidegate {

StreamLayout::StreamLayout(const ModelSpec& spec, std::size_t state_floats) : steps(spec.ScoredSteps()) {
  const std::size_t features = spec.features.size(), levels = spec.quantiles.size();
  last_values = state_floats;
  moments = last_values + features;
  last_target = moments + (spec.per_stream ? 4 * features : 0);
  residual_size = last_target + 1;
  naive_error = residual_size + 1;
  tracked = naive_error + 2;
  tracked_width = sizeof(TrackedStep) / sizeof(float) + levels - 1;
  kept = tracked + steps.size() * tracked_width;
  std::size_t ring = 0;
  for (const std::size_t step : steps) {
    rings.push_back(ring);
    ring += step * levels;
  }
  floats = kept + ring;
}

}  // namespace tidegate
