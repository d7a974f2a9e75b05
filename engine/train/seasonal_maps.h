#pragma once

#include <cstddef>
#include <vector>

#include "engine/tensor/matrix.h"

namespace tidegate {

// Simple forecasts as linear maps, each [horizon, context]: weights of the last levels less the last one,
// oldest first (the last one's own is 0). The last value; for each period the mean over it, and the means
// over the last 1, 2, 4, 7 and 14 periods at the same place in them, as they are, moved to the last value,
// and moved to the mean over the last shortest period (of "a day ago" to the day's level). Those only that
// the context holds.
std::vector<Matrix> SeasonalMaps(std::size_t context, std::size_t horizon,
                                 const std::vector<std::size_t>& periods);

}  // namespace tidegate
