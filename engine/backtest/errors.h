#pragma once

#include <cstddef>
#include <span>

namespace tidegate {

// How one forecaster did over some targets: sums while they are added, means after Divide. Each is over the
// targets that have it, and NaN if none has.
struct Errors {
  std::size_t targets = 0;
  double mse = 0, mae = 0;  // of the point forecast, in deviations (Target::deviation)
  double smape = 0;         // 200 |error| / (|target| + |forecast|), percent (as M4: Makridakis et al. 2020)
  std::size_t mase_targets = 0;  // of streams that varied before the test part
  double mase = 0;  // absolute error by the mean absolute error of "as a season ago" on the rows before it
  std::size_t pinball_targets = 0;   // with quantiles
  double pinball = 0;                // mean over the levels, in deviations
  std::size_t interval_targets = 0;  // with more than one
  // Share of targets from the lowest to the highest level, or up to `reach` beyond: what a sensor reads
  // stands for all that rounds to it, as in calibration and in the server's metrics.
  double coverage = 0;
  double width = 0;  // from the lowest to the highest level, in deviations

  void Add(const Errors& other);
  void Divide();
};

// One forecast of one target. quantiles [Q], empty: a point only; both levels and quantiles rise. scale: what
// MASE divides by. reach: half the sensor's resolution.
Errors ErrorsOf(float target, float point, std::span<const float> quantiles, std::span<const float> levels,
                double deviation, double scale, float reach = 0);

}  // namespace tidegate
