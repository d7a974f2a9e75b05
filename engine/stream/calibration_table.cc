#include "engine/stream/calibration_table.h"

#include <algorithm>
#include <cmath>

namespace tidegate {
namespace {

constexpr float kTail = 0.01f;  // where the logistic distribution is cut

}  // namespace

std::vector<float> CalibrationTable::Row(std::vector<float> ratios) {
  std::sort(ratios.begin(), ratios.end());
  std::vector<float> row(kLevels);
  for (std::size_t i = 0; i < kLevels; ++i) {
    const double at = static_cast<double>(i) / (kLevels - 1) * static_cast<double>(ratios.size() - 1);
    const auto below = static_cast<std::size_t>(at);
    const std::size_t above = std::min(below + 1, ratios.size() - 1);
    const auto part = static_cast<float>(at - static_cast<double>(below));
    row[i] = ratios[below] + part * (ratios[above] - ratios[below]);
  }
  return row;
}

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
