#pragma once

#include <cstddef>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/learning_data.h"
#include "engine/backtest/backtest.h"
#include "engine/tune/diebold_mariano.h"

namespace tidegate {

// The model on the test part, as served, warmed up by a number of rows before it that is the same for every
// model. window > 0: its forecasts are made anew from so many readings, by the same weights. baselines: with
// those that learn, from all rows before the test part.
absl::StatusOr<Backtest> TestModel(const TrainedModel& model, const LearningData& data,
                                   std::size_t window = 0, bool baselines = false);

// Whether one model's errors differ from another's, on the origins that both have, by stream and tick: the
// mean over the streams at each tick.
DieboldMariano CompareModels(const Backtest& one, const Backtest& other, std::size_t horizon);

}  // namespace tidegate
