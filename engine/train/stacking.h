#pragma once

#include <cstddef>
#include <vector>

#include "engine/tensor/matrix.h"
#include "engine/train/linear_rows.h"
#include "engine/train/linear_sums.h"

namespace tidegate {

// A regression knows little of a channel that is unlike the others, and one for each channel wants many rows.
// Stacked (Breiman 1996, "Stacked Regressions") a channel's map is a weighted mean of simple ones that need
// no fit, those of its seasons, and the regression's: the weights, at least 0 and 1 together, with the least
// mean absolute error of forecasts of rows that no map was fitted to. They are found by exponentiated
// gradient (Kivinen & Warmuth 1997) from half the regression's on; that it stops short keeps them close.
//
// For all: rows: in blocks, told apart by channel; sums: of the same blocks, not necessarily of as many rows,
// together or by channel as the choice says.
// periods: of the seasons, rising.

// Sets `stacked` of the parts of the horizon: how far their maps go from the regression's to the stacked
// ones. As far as makes the relative gains in the mean squared and in the mean absolute error, on blocks
// which were left out of all fits, together greatest, while neither error grows by more than kMayCost, over
// all blocks or in their mean, so that one block of large errors does not hide what the others lose; the
// squared one over all blocks counts beside what all but the largest hundredth of the errors make; not where
// the last value is forecast, as there is nothing to be known of a random walk.
void ChooseStacked(const LinearRows& rows, const LinearSums& sums, const std::vector<std::size_t>& periods,
                   LinearChoice& choice);

// On block `left`, which all fits leave out: the logarithms of the mean squared and of the mean absolute
// error, together, the channels' and parts' mean; with maps that are not stacked, a quarter, a half, three
// quarters and wholly so. The simple maps have choice.stacked_context, 0: there are none.
std::vector<double> StackedErrors(const LinearRows& rows, const LinearSums& sums,
                                  const std::vector<std::size_t>& periods, const LinearChoice& choice,
                                  std::size_t left);

// Stacks maps, the regression's for all steps: [maps] of [horizon, context]. Returns those of each channel.
std::vector<Matrix> Stacked(const LinearRows& rows, const LinearSums& sums,
                            const std::vector<std::size_t>& periods, const LinearChoice& choice,
                            std::vector<Matrix> maps);

}  // namespace tidegate
