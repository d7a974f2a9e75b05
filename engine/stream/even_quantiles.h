#pragma once

#include <cstddef>
#include <vector>

namespace tidegate {

// The quantiles of `values` at `count` levels from 0 to 1, evenly apart: linear between the sorted values.
// Requires a value, no NaN, and two levels.
std::vector<float> EvenQuantiles(std::vector<float> values, std::size_t count);

}  // namespace tidegate
