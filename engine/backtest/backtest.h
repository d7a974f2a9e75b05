#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/backtest/errors.h"
#include "engine/model/model.h"
#include "engine/train/series.h"

namespace tidegate {

// Who forecasts. What they are compared with: "the last value stays" (persistence), SeasonalNaive and
// Autoregression.
enum class Forecaster { kModel, kLastValue, kSeasonal, kLinear };
inline constexpr std::size_t kForecasters = 4;
using ErrorsOfAll = std::array<Errors, kForecasters>;  // by Forecaster; no targets: it does not forecast

struct BacktestOptions {
  // First row of each series that is forecast; the rows before it warm the model up and are what the
  // baselines learn from. Empty: 0 for all.
  std::vector<std::size_t> from = {};
  std::vector<std::size_t> horizons = {};  // steps, each at most the model's; empty: the model's
  std::size_t season = 1;                  // readings, of SeasonalNaive and of MASE
  bool baselines = true;                   // false: of persistence alone
  // Rows of each series just before its test part that a stream's own deviation is of; 0: all.
  std::size_t deviation_rows = 0;
  std::size_t examples = 0;                 // forecasts to keep for pictures
  bool origin_losses = false;               // to keep, for tests of one model against another
  std::size_t blocks = 48;                  // parts of the time that coverage is told for
  std::function<double()> clock = nullptr;  // seconds from some time on; null: the cost is not measured
  std::function<void(std::size_t, std::size_t)> progress = nullptr;  // rows done of the rows; may be null
};

// How forecasts of so many steps did, over all streams, origins and steps up to the horizon.
struct HorizonScore {
  std::size_t horizon = 0;
  std::size_t origins = 0;  // of one stream, the most of any
  ErrorsOfAll errors = {};
};

// One forecast and what is beside it, the target's unit.
struct ForecastExample {
  std::string stream;
  std::int64_t origin_ns = 0;
  std::vector<float> before = {};     // values up to the origin, the last that of the origin; NaN: missing
  std::vector<float> truth = {};      // [horizon] NaN: missing
  std::vector<float> quantiles = {};  // [horizon, Q]
  std::vector<float> seasonal = {}, linear = {};  // [horizon]; empty: does not forecast
};

// Coverage of the forecasts made in one part of the time.
struct CoverageBlock {
  std::int64_t begin_ns = 0, end_ns = 0;
  std::size_t targets = 0;
  double coverage = 0;
};

// The model's mean absolute error over the longest horizon of one forecast, in deviations.
struct OriginLoss {
  std::size_t stream = 0;  // from 0, in the order of their series
  std::int64_t tick = 0;   // intervals since 1970, the nearest
  double mae = 0;
};

struct Backtest {
  std::vector<HorizonScore> horizons;  // rising
  std::vector<ErrorsOfAll>
      steps_ahead;            // [longest horizon] each step alone, over the origins of that horizon
  std::vector<double> below;  // [Q] share of targets below each level, same origins; reach as in Errors
  std::vector<CoverageBlock> blocks;  // same origins; those without targets are left out
  std::vector<ForecastExample> examples;
  std::vector<OriginLoss> origin_losses;  // row by row, that of one stream after the other, while they last
  std::size_t linear_context = 0;         // 0: the rows before the test part were too few to fit it
  double linear_penalty = 0;
  std::size_t steps = 0;  // readings run through the model, all streams
  double seconds = 0;     // in them: from a reading to its forecast
};

// Runs every series through the model as a server would serve it, one step a reading from the state it has
// carried, all streams as one batch, and scores the forecasts that are answered, and those that a server
// makes at ticks without a reading and keeps to itself. Neighbouring series of one name, each later than the
// one before, are one stream, which begins anew in between as after a long gap. A horizon of H steps is
// scored at every origin from the row before `from` on whose H targets all lie in the series: n - from - H +
// 1 of n rows. All forecasters are scored on the same targets: those that are not missing, of origins where
// some value is known. InvalidArgument: features or horizons that are not the model's, no origin.
// FailedPrecondition: a state that is not finite. Internal: with nothing missing not every target of those
// origins was scored.
absl::StatusOr<Backtest> RunBacktest(const Model& model, const std::vector<Series>& series,
                                     const BacktestOptions& options);

}  // namespace tidegate
