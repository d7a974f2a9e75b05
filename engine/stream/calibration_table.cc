#include "engine/stream/calibration_table.h"

#include <algorithm>
#include <cmath>

namespace tidegate {
namespace {

constexpr float kTail = 0.01f;  // where the logistic distribution is cut

}  // namespace

float CalibrationTable::Ratio(std::size_t row, float position, float usual) const {
  const float within = std::clamp(position, 0.0f, 1.0f);
  const float beyond = position - within;
  float ratio = 0;
  if (empty()) {
    const auto logit = [](float p) { return std::log(p / (1 - p)); };
    ratio = logit(std::clamp(within, kTail, 1 - kTail)) / logit(usual);
  } else {
    const float* const levels = ratios_.data() + row * kLevels;
    const float at = within * (kLevels - 1);
    const auto below = static_cast<std::size_t>(at);
    const float part = at - static_cast<float>(below);
    ratio = levels[below] + part * (levels[std::min(below + 1, kLevels - 1)] - levels[below]);
  }
  if (beyond == 0) return ratio;
  const float far = std::exp2(5 * std::abs(beyond)) - 1;
  return beyond > 0 ? ratio + std::max(ratio, 1.0f) * far : ratio - std::max(-ratio, 1.0f) * far;
}

}  // namespace tidegate
