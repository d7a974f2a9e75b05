#include "clients/cli/chart_axis.h"

#include <algorithm>
#include <cmath>

#include "absl/strings/str_format.h"
#include "absl/time/time.h"

namespace tidegate {
namespace {

// 1, 2 or 5 times a power of ten.
double RoundStep(double least) {
  const double power = std::pow(10, std::floor(std::log10(least)));
  for (const double factor : {1.0, 2.0, 5.0}) {
    if (factor * power >= least * (1 - 1e-9)) return factor * power;
  }
  return 10 * power;
}

double RoundSeconds(double least) {
  constexpr double kMinute = 60, kHour = 3600, kDay = 86'400;
  for (const double step :
       {1.0,          2.0,          5.0,       15.0,      30.0,       kMinute,    2 * kMinute, 5 * kMinute,
        15 * kMinute, 30 * kMinute, kHour,     3 * kHour, 6 * kHour,  12 * kHour, kDay,        2 * kDay,
        7 * kDay,     14 * kDay,    30 * kDay, 91 * kDay, 182 * kDay, 365 * kDay}) {
    if (step >= least) return step;
  }
  return RoundStep(least / (365 * kDay)) * 365 * kDay;
}

std::string TimeText(double seconds, double step) {
  const absl::Time time = absl::FromUnixSeconds(static_cast<std::int64_t>(std::llround(seconds)));
  const char* format = step < 60              ? "%H:%M:%S"
                       : step < 86'400        ? "%d %b %H:%M"
                       : step < 30 * 86'400.0 ? "%d %b"
                                              : "%b %Y";
  return absl::FormatTime(format, time, absl::UTCTimeZone());
}

}  // namespace

std::vector<std::pair<double, std::string>> ChartAxis::Ticks(int count) const {
  const double least = (high_ - low_) / count;
  const double step = kind_ == Kind::kTime ? RoundSeconds(least) : RoundStep(least);
  std::vector<std::pair<double, std::string>> ticks;
  for (double at = std::ceil(low_ / step - 1e-9); at * step <= high_ + 1e-9 * step; ++at) {
    const double value = std::abs(at) < 0.5 ? 0 : at * step;
    std::string text;
    switch (kind_) {
      case Kind::kNumber:
        text = absl::StrFormat("%.6g", value);
        break;
      case Kind::kPercent:
        text = absl::StrFormat("%.4g %%", 100 * value);
        break;
      case Kind::kTime:
        text = TimeText(value, step);
        break;
    }
    ticks.emplace_back(value, std::move(text));
  }
  return ticks;
}

}  // namespace tidegate
