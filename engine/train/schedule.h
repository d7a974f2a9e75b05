#pragma once

#include <cstddef>

namespace tidegate {

// How the learning rate falls from epoch to epoch.
enum class ScheduleKind {
  kCosine,       // "cosine": along half a cosine from the whole to a tenth in the last epoch's end
  kConstant,     // "constant": it does not
  kExponential,  // "exponential": the whole for `hold` epochs, then times `decay` each epoch
  kStep,         // "step": times `decay` after every `hold` epochs
};
const char* ScheduleName(ScheduleKind kind);
inline constexpr ScheduleKind kScheduleKinds[] = {ScheduleKind::kCosine, ScheduleKind::kConstant,
                                                  ScheduleKind::kExponential, ScheduleKind::kStep};

struct Schedule {
  ScheduleKind kind = ScheduleKind::kCosine;
  std::size_t hold = 2;  // epochs, at least 1
  double decay = 0.8;    // above 0, at most 1

  // What the learning rate is multiplied with in an epoch, from 0, of `epochs`.
  double Factor(std::size_t epoch, std::size_t epochs) const;
};

}  // namespace tidegate
