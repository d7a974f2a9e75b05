#pragma once

#include <cstddef>

#include "engine/model/model.h"

namespace tidegate {

// Seconds that one reading takes, from the scaled inputs to the forecast, when `batch` streams are stepped
// together by this thread: the least of a few short runs, as whatever else runs only makes it longer.
double StepSeconds(const Model& model, std::size_t batch);

}  // namespace tidegate
