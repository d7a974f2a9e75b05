#pragma once

#include <cstdint>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidegate {

// What one cell of a CSV file holds. Errors are InvalidArgument and name the cell's text, not its place.

// A finite number; NaN for an empty cell, NA, N/A, null and nan in any case.
absl::StatusOr<float> ParseValue(absl::string_view cell);

// What a number in a column of times counts since 1970.
enum class TimeUnit { kSeconds, kMilliseconds, kMicroseconds, kNanoseconds };
const char* TimeUnitName(TimeUnit unit);  // "seconds", ...
const char* TimeUnitFlag(TimeUnit unit);  // "s", "ms", "us", "ns"
inline constexpr TimeUnit kTimeUnits[] = {TimeUnit::kSeconds, TimeUnit::kMilliseconds,
                                          TimeUnit::kMicroseconds, TimeUnit::kNanoseconds};

// By the size of a number: seconds up to the year 5138, so milliseconds from 1973 on, and so forth; of what
// is no number seconds.
TimeUnit GuessTimeUnit(absl::string_view cell);

// Nanoseconds since 1970-01-01 UTC: RFC 3339 (a blank for the T is fine; no zone means UTC; a date alone is
// its midnight) or a count of `unit` since 1970 with any number of decimals, of which nine count.
absl::StatusOr<std::int64_t> ParseTimestamp(absl::string_view cell, TimeUnit unit = TimeUnit::kSeconds);

// A whole row number >= 0, times the interval.
absl::StatusOr<std::int64_t> ParseRowNumber(absl::string_view cell, std::int64_t interval_ns);

}  // namespace tidegate
