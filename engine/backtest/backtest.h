#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/model/model.h"
#include "engine/train/series.h"

namespace tidegate {

// How forecasts of so many steps did, over all streams, origins and steps.
struct HorizonScore {
  std::size_t horizon = 0;
  std::size_t origins = 0;                          // of one stream, the most of any
  std::size_t scored = 0;                           // targets
  double mse = 0, mae = 0;                          // of the median, in deviations of the training readings
  double error = 0;                                 // mean absolute error, unit of the target
  double pinball = 0;                               // mean over the levels, in deviations
  double coverage = 0;                              // share of targets from the lowest to the highest level
  double width = 0;                                 // from the lowest to the highest level, in deviations
  double persistence_mse = 0, persistence_mae = 0;  // of "the last value stays", in deviations
};

struct BacktestOptions {
  std::size_t from = 0;               // first row of each series that is forecast; the rows before warm up
  std::vector<std::size_t> horizons;  // steps, each at most the model's; empty: the model's
};

struct Backtest {
  std::vector<HorizonScore> horizons;
  std::size_t steps = 0;  // readings run through the model, all streams
};

// Runs every series through the model as a server would serve it, one step a reading from the state it has
// carried, all series as one batch, and scores the forecasts that are answered. A horizon of H steps is
// scored at every origin from the row before `from` on whose H targets all lie in the series: n - from - H +
// 1 of n rows. progress: called with the rows done and all rows; may be null. InvalidArgument: features or
// horizons that are not the model's, a series with no origin.
absl::StatusOr<Backtest> RunBacktest(const Model& model, const std::vector<Series>& series,
                                     const BacktestOptions& options,
                                     const std::function<void(std::size_t, std::size_t)>& progress);

}  // namespace tidegate
