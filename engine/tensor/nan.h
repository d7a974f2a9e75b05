#pragma once

#include <limits>

namespace tidegate {

// Stands for a value that is not there.
inline constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

}  // namespace tidegate
