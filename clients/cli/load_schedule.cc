#include "clients/cli/load_schedule.h"

namespace tidegate {

std::chrono::nanoseconds LoadSchedule::Next() {
  if (poisson_) {
    seconds_ += gap_(random_);
  } else {  // from the count, so that no error adds up
    seconds_ = static_cast<double>(sent_++) / rate_;
  }
  return std::chrono::nanoseconds(static_cast<std::int64_t>(seconds_ * 1e9));
}

}  // namespace tidegate
