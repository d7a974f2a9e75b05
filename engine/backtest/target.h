#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/model/spec.h"
#include "engine/train/series.h"

namespace tidegate {

// The target of one series, as scores and baselines see it. Plain value.
struct Target {
  std::vector<float> values;  // [n] its unit; NaN: missing
  std::vector<float> known;   // [n] the last value that is not missing; NaN: none yet
  std::vector<bool> scored;   // [n] whether the value counts as a target
  // What errors are divided by: of the training readings; of a model with a scale for each stream, of the
  // stream's own readings before the test part, if they vary.
  double deviation = 1;
  float reach = 0;       // half the sensor's resolution: a value stands for all that rounds to it
  std::size_t from = 0;  // first row of the test part; the rows before it are the baselines' to learn from

  std::size_t size() const { return values.size(); }
};

// Sets the deviation of one stream's pieces to that of their rows before the test part, of each piece the
// last `rows` of them (0: all); leaves it if these do not vary.
void SetOwnDeviation(std::span<Target> pieces, std::size_t rows = 0);

// Of a series; `from` of more rows than there are is their number.
Target TargetOf(const Series& series, const ModelSpec& spec, std::size_t from);

}  // namespace tidegate
