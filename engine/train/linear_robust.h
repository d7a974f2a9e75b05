#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "engine/tensor/matrix.h"
#include "engine/train/linear_rows.h"
#include "engine/train/linear_sums.h"

namespace tidegate {

// In a fit by least squares the few largest errors have most of the say. Robust maps are what those of the
// ridge regressions become if an error e counts as sqrt(1 + (e / d)^2) (pseudo-Huber, Charbonnier et al.
// 1997): beyond d, the deviation of the errors of its step, by its size and not its square. They are drawn
// towards those they began as.

// Sets `robust` of the parts of the horizon where that pays on blocks which were left out: where the relative
// gains in the mean squared and in the mean absolute error, over all blocks, come to more than nothing, and
// neither error grows by more than kMayCost. rows: in blocks; sums: of the same.
void ChooseRobust(const LinearRows& rows, const LinearSums& sums, LinearChoice& choice);

// Makes maps robust in the parts that are to be. maps: LinearSums::Solve's, of these steps of the horizon.
// rows: of the same context, told apart at least as the maps are, not necessarily as many. left: a block that
// is left out.
void MakeRobust(const LinearRows& rows, const LinearChoice& choice, const std::vector<std::size_t>& steps,
                std::vector<Matrix>& maps, std::optional<std::size_t> left = {});

}  // namespace tidegate
