// Series of levels for tests of the linear path.
#pragma once

#include <cstddef>
#include <functional>

#include "engine/model/spec.h"
#include "engine/train/dataset.h"

namespace tidegate {

inline constexpr std::size_t kRows = 3000;

inline ModelSpec Spec(std::size_t horizon, std::size_t channels = 0) {
  ModelSpec spec;
  spec.horizon = horizon;
  spec.channels = channels;
  spec.features = {{.name = "value", .deviation = 2}};
  if (channels > 0) spec.features.push_back({.name = "channel"});
  spec.step_deviation.assign(horizon, 4.0f);
  return spec;
}

// Its levels are those that next(t) gives, one after the other.
inline PreparedSeries Levels(const std::function<double(std::size_t)>& next, const ModelSpec& spec,
                             std::size_t channel = 0) {
  PreparedSeries series;
  series.inputs.Resize(kRows, spec.features.size());
  for (std::size_t t = 0; t < kRows; ++t) {
    float* const row = series.inputs.row(t);
    row[0] = static_cast<float>(next(t));
    if (spec.channels > 0) row[1] = static_cast<float>(channel);
  }
  series.values.resize(kRows);
  series.split = kRows;
  return series;
}

}  // namespace tidegate
