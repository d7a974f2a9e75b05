#include "engine/tune/find_season.h"

#include <algorithm>
#include <cmath>

#include "engine/model/spec.h"
#include "engine/stream/stream.h"
#include "engine/train/cycle.h"

namespace tidegate {
namespace {

constexpr double kWorthASeason = 0.1;   // share of the variance that a season must explain
constexpr double kWorthALonger = 0.01;  // more than a shorter one explains
constexpr std::size_t kHoles = 4;       // quarters left out

ModelSpec SpecOf(std::int64_t interval_ns) {
  ModelSpec spec;
  spec.interval_ns = interval_ns;
  spec.features.resize(1);
  return spec;
}

// Of the variance around a running mean over `trend` readings, what the table of a cycle explains in the
// quarters that were left out of it.
double ShareExplained(const std::vector<Series>& series, const std::vector<std::size_t>& ends,
                      const std::vector<std::vector<float>>& rests, const ModelSpec& spec,
                      std::size_t period) {
  double before = 0, after = 0;
  for (std::size_t hole = 0; hole < kHoles; ++hole) {
    const RowBlock left = {.number = hole, .of = kHoles};
    const std::vector<float> table = FitCycle(series, ends, spec, period, left);
    for (std::size_t s = 0; s < series.size(); ++s) {
      const std::size_t known = FirstKnown(rests[s]);
      for (std::size_t t = left.Begin(known, ends[s]); t < left.End(known, ends[s]); ++t) {
        const float rest = rests[s][t];
        if (std::isnan(rest)) continue;
        before += static_cast<double>(rest) * rest;
        after += std::pow(rest - table[CycleRow(spec, period, series[s].TimeOf(t, spec.interval_ns))], 2);
      }
    }
  }
  return before > 0 ? 1 - after / before : 0;
}

bool IsCalendar(std::size_t period, std::int64_t interval_ns) {
  constexpr std::int64_t kDay = 86'400'000'000'000;
  const std::int64_t span = interval_ns * static_cast<std::int64_t>(period);
  return span == kDay || span == 7 * kDay;
}

// The period near `about` at which the longest series resembles itself most, and its neighbours: a table a
// reading too long or too short explains nothing after some turns.
std::vector<std::size_t> Around(const std::vector<Series>& series, std::size_t about) {
  const Series& longest = *std::ranges::max_element(series, {}, &Series::size);
  const std::vector<float> rest = LessTrend(longest, longest.size(), 0, 4 * about);
  const std::size_t reach = 1 + about / 25;
  std::size_t best = about;
  double highest = -1;
  for (std::size_t lag = about - std::min(reach, about - 2); lag <= about + reach; ++lag) {
    const double now = Autocorrelation(rest, lag);
    if (now <= highest) continue;
    highest = now;
    best = lag;
  }
  std::vector<std::size_t> periods;
  for (std::size_t period = std::max<std::size_t>(best, 4) - 2; period <= best + 2; ++period)
    periods.push_back(period);
  return periods;
}

std::vector<std::size_t> EndsOf(const std::vector<Series>& series) {
  std::vector<std::size_t> ends;
  ends.reserve(series.size());
  for (const Series& one : series) ends.push_back(one.size());
  return ends;
}

}  // namespace

FoundSeason FindSeason(const std::vector<Series>& series, std::int64_t interval_ns) {
  const ModelSpec spec = SpecOf(interval_ns);
  const std::vector<std::size_t> ends = EndsOf(series);
  const std::vector<std::size_t> periods = CandidatePeriods(series, ends, spec);
  if (periods.empty()) return {};
  std::vector<std::vector<float>> rests;
  rests.reserve(series.size());
  for (std::size_t s = 0; s < series.size(); ++s)
    rests.push_back(LessTrend(series[s], ends[s], 0, periods.back()));
  FoundSeason best;
  for (const std::size_t candidate : periods) {
    FoundSeason near;
    for (const std::size_t period :
         IsCalendar(candidate, spec.interval_ns) ? std::vector{candidate} : Around(series, candidate)) {
      const double share = ShareExplained(series, ends, rests, spec, period);
      if (share > near.share) near = {period, share};
    }
    if (near.share > best.share + kWorthALonger) best = near;
  }
  return best.share >= kWorthASeason ? best : FoundSeason{};
}

void RemoveSeason(const FoundSeason& season, std::int64_t interval_ns, std::vector<Series>& series) {
  if (season.readings == 0) return;
  const ModelSpec spec = SpecOf(interval_ns);
  const std::vector<float> table = FitCycle(series, EndsOf(series), spec, season.readings);
  for (Series& one : series) {
    for (std::size_t t = 0; t < one.size(); ++t)
      one.values[t] -= table[CycleRow(spec, season.readings, one.TimeOf(t, interval_ns))];
  }
}

}  // namespace tidegate
