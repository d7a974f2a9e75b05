#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "engine/model/model.h"

namespace tidegate {

// What a stream's forecasts have lately been wrong by at each part of its season (a day, say), learnt from
// its own readings and added to its further forecasts: a season changes its shape over the year, and a sensor
// has one of its own. Functions on a stream's floats (StreamLayout); of a model with ModelSpec::bias_period
// only.
//   bias[part of the reading's time] <- bias + 1/60 mean over the scored steps of
//                                       sign(reading - median made for it)
//   forecast h steps ahead <- forecast + unit of h * (bias[part of that time] - mean of all biases)
// The unit is the stream's own running absolute error of the step, between two scored steps one between
// theirs, and at most their mean: a season's shape is off by as much however far ahead, but where forecasts
// hardly err, there is little to correct. The sign is what lowers an absolute error, so no single reading
// moves a bias far. The mean of the biases is left out: a level that drifts is the network's to follow, and
// its errors far ahead come in runs that would be followed too late.

// Learns from what came for step number `step` (counted from 0 since the stream began) at `timestamp_ns`;
// target NaN: nothing is learnt.
void LearnBias(const Model& model, std::uint32_t step, std::int64_t timestamp_ns, float target, float* kept,
               const float* rings);

// Adds the biases to `forecast` [horizon, Q], which was made at `timestamp_ns`, all levels alike.
void AddBias(const Model& model, const float* kept, std::int64_t timestamp_ns, std::span<float> forecast);

}  // namespace tidegate
