#include "clients/cli/season.h"

#include <cmath>
#include <cstdint>

namespace tidegate {

Season SeasonOf(const ModelSpec& spec, std::size_t given, std::size_t rows) {
  if (given > 0) return {given, "as asked"};
  if (spec.cycle > 0) return {spec.cycle, "the model's cycle"};
  constexpr std::int64_t kDay = 86'400'000'000'000;
  const std::int64_t interval = spec.interval_ns;
  const auto enough = [rows](std::size_t readings) { return readings >= 2 && 2 * readings <= rows; };
  if (interval >= 28 * kDay && interval <= 31 * kDay && enough(12)) return {12, "a year of months"};
  if (interval == 7 * kDay && enough(52)) return {52, "a year of weeks"};
  if (interval == kDay && enough(7)) return {7, "a week of days"};
  if (kDay % interval == 0 && enough(static_cast<std::size_t>(kDay / interval)))
    return {static_cast<std::size_t>(kDay / interval), "a day"};
  return {1, "no longer one is known"};
}

}  // namespace tidegate
