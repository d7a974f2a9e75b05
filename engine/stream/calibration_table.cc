#include "engine/stream/calibration_table.h"

#include <algorithm>
#include <cmath>

namespace tidegate {
namespace {

constexpr float kTail = 0.01f;  // where the logistic distribution is cut

// What a ratio becomes at a distance.
float Beyond(float ratio, float distance) {
  if (distance == 0) return ratio;
  const float far = std::exp2(5 * std::abs(distance)) - 1;
  return distance > 0 ? ratio + std::max(ratio, 1.0f) * far : ratio - std::max(-ratio, 1.0f) * far;
}

}  // namespace

float CalibrationTable::Ratio(std::size_t row, float position, float usual) const {
  const float within = std::clamp(position, 0.0f, 1.0f);
  const float ratio = Beyond(Stored(row, within, usual), position - within);
  if (position <= usual) return ratio;
  return std::min(ratio, Beyond(Stored(row, usual, usual), position - usual));
}

float CalibrationTable::Stored(std::size_t row, float position, float usual) const {
  if (empty()) {
    if (position == usual) return 1;
    const auto logit = [](float p) { return std::log(p / (1 - p)); };
    return logit(std::clamp(position, kTail, 1 - kTail)) / logit(usual);
  }
  const float* const levels = ratios_.data() + row * kLevels;
  const float at = position * (kLevels - 1);
  const auto below = static_cast<std::size_t>(at);
  const float part = at - static_cast<float>(below);
  return levels[below] + part * (levels[std::min(below + 1, kLevels - 1)] - levels[below]);
}

}  // namespace tidegate
