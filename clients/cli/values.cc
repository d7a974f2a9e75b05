#include "clients/cli/values.h"

#include <cmath>
#include <limits>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/time/time.h"

namespace tidegate {
namespace {

constexpr std::int64_t kMaxNanos = std::numeric_limits<std::int64_t>::max();
constexpr std::int64_t kNanosPerSecond = 1'000'000'000;

// Digits with an optional fraction, exactly: a double has no nanoseconds left at today's dates.
bool ParseDecimal(absl::string_view text, std::int64_t& whole, std::int64_t& nanos) {
  const std::size_t point = text.find('.');
  std::string fraction;
  if (point != absl::string_view::npos) {
    fraction = std::string(text.substr(point + 1));
    if (fraction.find_first_not_of("0123456789") != std::string::npos) return false;
  }
  fraction.resize(9, '0');
  return absl::SimpleAtoi(text.substr(0, point), &whole) && absl::SimpleAtoi(fraction, &nanos);
}

}  // namespace

absl::StatusOr<float> ParseValue(absl::string_view cell) {
  for (const absl::string_view missing : {"", "NA", "N/A", "null", "nan"}) {
    if (absl::EqualsIgnoreCase(cell, missing)) return std::numeric_limits<float>::quiet_NaN();
  }
  float value;
  if (!absl::SimpleAtof(cell, &value)) {
    return absl::InvalidArgumentError(absl::StrCat("'", cell, "' is not a number"));
  }
  if (!std::isfinite(value)) {
    return absl::InvalidArgumentError(absl::StrCat(
        "'", cell, "' is infinite or beyond a 32-bit float; leave the cell empty for a missing value"));
  }
  return value;
}

const char* TimeUnitFlag(TimeUnit unit) {
  constexpr const char* kFlags[] = {"s", "ms", "us", "ns"};
  return kFlags[static_cast<std::size_t>(unit)];
}

const char* TimeUnitName(TimeUnit unit) {
  switch (unit) {
    case TimeUnit::kSeconds:
      return "seconds";
    case TimeUnit::kMilliseconds:
      return "milliseconds";
    case TimeUnit::kMicroseconds:
      return "microseconds";
    case TimeUnit::kNanoseconds:
      return "nanoseconds";
  }
  return "";
}

TimeUnit GuessTimeUnit(absl::string_view cell) {
  std::int64_t whole = 0, nanos = 0;
  if (!ParseDecimal(cell, whole, nanos)) return TimeUnit::kSeconds;
  TimeUnit unit = TimeUnit::kSeconds;
  for (const std::int64_t least : {100'000'000'000, 100'000'000'000'000, 100'000'000'000'000'000}) {
    if (whole >= least) unit = static_cast<TimeUnit>(static_cast<int>(unit) + 1);
  }
  return unit;
}

absl::StatusOr<std::int64_t> ParseTimestamp(absl::string_view cell, TimeUnit unit) {
  std::int64_t whole = 0;
  std::int64_t nanos = 0;
  if (ParseDecimal(cell, whole, nanos)) {
    std::int64_t size = kNanosPerSecond;  // nanoseconds in one of the unit
    for (int u = 0; u < static_cast<int>(unit); ++u) size /= 1000;
    if (whole < 0 || whole > kMaxNanos / size - 1) {
      return absl::InvalidArgumentError(
          absl::StrCat("'", cell, "' is outside the years 1970 to 2262 if taken as ", TimeUnitName(unit),
                       " since 1970; --time-unit says what it is"));
    }
    return whole * size + nanos / (kNanosPerSecond / size);
  }
  std::string text(cell);
  if (text.size() > 10 && text[10] == ' ') text[10] = 'T';
  absl::Time time;
  for (const char* format : {"%Y-%m-%dT%H:%M:%E*S%Ez", "%Y-%m-%dT%H:%M:%E*S", "%Y-%m-%dT%H:%M", "%Y-%m-%d"}) {
    if (!absl::ParseTime(format, text, absl::UTCTimeZone(), &time, nullptr)) continue;
    const std::int64_t ns = absl::ToUnixNanos(time);
    if (time < absl::UnixEpoch() || ns == kMaxNanos) break;
    return ns;
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "'", cell,
      "' is not a time from 1970 on, like 2024-05-31T12:00:00Z or 1717156800.5 (seconds since 1970)"));
}

absl::StatusOr<std::int64_t> ParseRowNumber(absl::string_view cell, std::int64_t interval_ns) {
  std::int64_t row = 0;
  if (!absl::SimpleAtoi(cell, &row) || row < 0 || row > kMaxNanos / interval_ns) {
    return absl::InvalidArgumentError(
        absl::StrCat("'", cell, "' is not a row number; a column of times needs no --interval"));
  }
  return row * interval_ns;
}

}  // namespace tidegate
