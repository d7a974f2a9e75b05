#pragma once

#include <cstddef>
#include <vector>

#include "engine/model/spec.h"
#include "engine/train/series.h"

namespace tidegate {

// Periods, in readings, that a learnt cycle may have: the day and the week (with daily readings the week
// alone) and the lag at which the series resemble themselves most, each at least four times in the training
// rows. Rising.
std::vector<std::size_t> CandidatePeriods(const std::vector<Series>& series,
                                          const std::vector<std::size_t>& splits, const ModelSpec& spec);

// The table of a cycle of `period` rows: the mean of the training values at each place in it less their
// running mean over one period, which takes trends out; zero where nothing is known. Columns as
// ModelSpec::cycle_columns, those of a channel's number zero. hole: rows left out, for cross-validation.
struct Hole {
  double begin = 0, end = 0;  // shares of a series' rows before its split
};
std::vector<float> FitCycle(const std::vector<Series>& series, const std::vector<std::size_t>& splits,
                            const ModelSpec& spec, std::size_t period, Hole hole = {});

}  // namespace tidegate
