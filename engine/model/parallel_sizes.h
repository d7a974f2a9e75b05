#pragma once

#include "engine/layers/layer_spec.h"
#include "engine/layers/parallel_head.h"
#include "engine/model/spec.h"

namespace tidegate {

// Sizes of the parallel head of a spec that has one.
inline ParallelHead::Sizes ParallelSizes(const ModelSpec& spec) {
  const bool alone = spec.layers.size() == 1;
  return {.horizon = spec.horizon,
          .segment = spec.segment,
          .quantiles = spec.quantiles.size(),
          .channels = spec.channels,
          .inputs = alone ? spec.layer_inputs() : OutputsOf(spec.layers.end()[-2]),
          .units = OutputsOf(spec.layers.back())};
}

}  // namespace tidegate
