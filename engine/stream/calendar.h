#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace tidegate {

// What a timestamp says of the day, the week and the year, in UTC: known of every step to come.
enum class CalendarFeature {
  kHourOfDay,    // "hour_of_day": seconds since midnight by those of a day
  kDayOfWeek,    // "day_of_week": days since Monday, with their fraction, by 7
  kMonthOfYear,  // "month_of_year": months since January, with the fraction of the month, by 12
};
const char* CalendarName(CalendarFeature feature);
inline constexpr CalendarFeature kCalendarFeatures[] = {
    CalendarFeature::kHourOfDay, CalendarFeature::kDayOfWeek, CalendarFeature::kMonthOfYear};

// Where a time is in the feature's round, in [0, 1).
double CalendarPhase(CalendarFeature feature, std::int64_t timestamp_ns);

// inputs [2 * features]: sine and cosine of each feature's phase in a whole turn.
void FillCalendar(std::span<const CalendarFeature> features, std::int64_t timestamp_ns,
                  std::span<float> inputs);

}  // namespace tidegate
