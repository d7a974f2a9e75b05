#pragma once

#include <cstddef>
#include <string>

#include "engine/model/spec.h"

namespace tidegate {

// After how many readings a model's readings are taken to be alike again, and why.
struct Season {
  std::size_t readings = 1;
  std::string why;
};

// `given` if it is not 0; else the model's cycle; else by the interval: a year of months, a year of weeks, a
// week of days, otherwise a day, if it has a whole number of readings. Each only if it lies at least twice
// within `rows`; else 1.
Season SeasonOf(const ModelSpec& spec, std::size_t given, std::size_t rows);

}  // namespace tidegate
