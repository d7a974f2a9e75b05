#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "engine/model/spec.h"
#include "engine/train/row_block.h"
#include "engine/train/series.h"

namespace tidegate {

// [split] Values of feature f before the split, less their mean over `period` rows around each; NaN where
// missing or not scored.
std::vector<float> LessTrend(const Series& series, std::size_t split, std::size_t f, std::size_t period);

// Of values around zero with those `lag` before them, -1 to 1; NaN: missing. 0 where no pair is known.
double Autocorrelation(std::span<const float> values, std::size_t lag);

// Periods, in readings, that a learnt cycle may have: the day and the week (with daily readings the week
// alone) and the lag at which the series resemble themselves most, each at least four times in the training
// rows. Rising.
std::vector<std::size_t> CandidatePeriods(const std::vector<Series>& series,
                                          const std::vector<std::size_t>& splits, const ModelSpec& spec);

// The table of a cycle of `period` rows: the mean of the training values at each place in it less their
// running mean over one period, which takes trends out; zero where nothing is known. Columns as
// ModelSpec::cycle_columns, those of a channel's number zero. left: a block of rows that is left out, for
// cross-validation.
std::vector<float> FitCycle(const std::vector<Series>& series, const std::vector<std::size_t>& splits,
                            const ModelSpec& spec, std::size_t period, std::optional<RowBlock> left = {});

}  // namespace tidegate
