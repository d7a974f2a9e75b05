#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "engine/model/spec.h"

namespace tidegate {

// Where the parts of a stream's floats lie. First what every step reads and writes, one after the other:
//   the network's state [state_floats]
//   last values [F]         of each feature, less the cycle if the model has one; NaN: none yet
//   moments [F, 4]          per-stream normalisation only: see ScaleInputs
//   last target [1]         as it came; NaN: none yet
//   residual size [1]       running mean of |target - median forecast made one step before|
//   naive error [2]         running mean of |target - the one before|, and how many there were
//   of each scored step [K, tracked_width]: TrackedStep, then a position for each level but the median [Q -
//   1]
//   biases [min(bias_period, 48)]  of the parts of a season, see seasonal_bias.h
// then what a step reads and writes one row of:
//   of each scored step h, a ring of the forecasts that wait for their readings [h, Q]
// then, with a reorder window of W ticks only, what readings in order read one float of:
//   readings that wait for earlier ones [W, held_width], see HeldReadings
// A plain value.
struct StreamLayout {
  StreamLayout() = default;
  StreamLayout(const ModelSpec& spec, std::size_t state_floats);

  // The row of scored step k's ring that step number `step` of a stream reads and then writes. (Divides 32
  // bits: twice as fast as 64.)
  std::size_t RingRow(std::size_t k, std::uint32_t step) const {
    return step % static_cast<std::uint32_t>(steps[k]);
  }

  std::size_t last_values = 0;
  std::size_t moments = 0;
  std::size_t last_target = 0;
  std::size_t residual_size = 0;
  std::size_t naive_error = 0;
  std::size_t tracked = 0;
  std::size_t tracked_width = 0;
  std::size_t bias = 0;
  std::size_t biases = 0;
  std::size_t kept = 0;            // floats before the rings
  std::vector<float> units;        // [horizon, Q] spec.step_deviation of each output's step
  std::vector<std::size_t> steps;  // [K] the scored steps, rising, the first is 1
  std::vector<float> rates;        // [K] how far a reading moves each one's positions, see calibration.h
  std::vector<float> trims;        // [K] what each reading that an interval owes trims it by
  std::vector<std::size_t> rings;  // [K] where each one's ring begins, counted from `kept`
  std::size_t held = 0;            // floats before the readings that wait
  std::size_t held_width = 0;      // of one of them
  std::size_t floats = 0;          // in all
};

// How the forecasts made for one step ahead have done, as running means over about the last 10,000; the
// coverage over 2,000, as intervals are to make up for what they owe now and not for a season long past.
struct TrackedStep {
  float scored;    // forecasts, up to 10,000
  float mae;       // |reading - median|
  float pinball;   // mean over the levels
  float coverage;  // share of readings from the lowest to the highest level, each end half a resolution wider
  float width;     // from the lowest to the highest level
};

}  // namespace tidegate
