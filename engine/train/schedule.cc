#include "engine/train/schedule.h"

#include <cmath>
#include <numbers>

namespace tidegate {

const char* ScheduleName(ScheduleKind kind) {
  switch (kind) {
    case ScheduleKind::kCosine:
      return "cosine";
    case ScheduleKind::kConstant:
      return "constant";
    case ScheduleKind::kExponential:
      return "exponential";
    case ScheduleKind::kStep:
      return "step";
  }
  return "";
}

double Schedule::Factor(std::size_t epoch, std::size_t epochs) const {
  switch (kind) {
    case ScheduleKind::kCosine:
      return 0.55 +
             0.45 * std::cos(std::numbers::pi * (static_cast<double>(epoch) / static_cast<double>(epochs)));
    case ScheduleKind::kConstant:
      return 1;
    case ScheduleKind::kExponential:
      return epoch < hold ? 1 : std::pow(decay, static_cast<double>(epoch - hold + 1));
    case ScheduleKind::kStep: {
      const std::size_t drops = epoch / hold;
      return std::pow(decay, static_cast<double>(drops));
    }
  }
  return 1;
}

}  // namespace tidegate
