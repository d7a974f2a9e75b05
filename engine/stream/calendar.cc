#include "engine/stream/calendar.h"

#include <chrono>
#include <cmath>
#include <cstddef>
#include <numbers>

namespace tidegate {

const char* CalendarName(CalendarFeature feature) {
  switch (feature) {
    case CalendarFeature::kHourOfDay:
      return "hour_of_day";
    case CalendarFeature::kDayOfWeek:
      return "day_of_week";
    case CalendarFeature::kMonthOfYear:
      return "month_of_year";
  }
  return "";
}

double CalendarPhase(CalendarFeature feature, std::int64_t timestamp_ns) {
  using std::chrono::days;
  const std::chrono::sys_time<std::chrono::nanoseconds> time{std::chrono::nanoseconds(timestamp_ns)};
  const auto midnight = std::chrono::floor<days>(time);
  const double day = static_cast<double>((time - midnight).count()) / 86'400e9;  // of it, what has gone
  if (feature == CalendarFeature::kHourOfDay) return day;
  if (feature == CalendarFeature::kDayOfWeek)
    return (std::chrono::weekday(midnight).iso_encoding() - 1 + day) / 7;
  const std::chrono::year_month_day date(midnight);
  const auto last = (date.year() / date.month() / std::chrono::last).day();
  const double month = (static_cast<unsigned>(date.day()) - 1 + day) / static_cast<unsigned>(last);
  return (static_cast<unsigned>(date.month()) - 1 + month) / 12;
}

void FillCalendar(std::span<const CalendarFeature> features, std::int64_t timestamp_ns,
                  std::span<float> inputs) {
  for (std::size_t i = 0; i < features.size(); ++i) {
    const double turn = 2 * std::numbers::pi * CalendarPhase(features[i], timestamp_ns);
    inputs[2 * i] = static_cast<float>(std::sin(turn));
    inputs[2 * i + 1] = static_cast<float>(std::cos(turn));
  }
}

}  // namespace tidegate
