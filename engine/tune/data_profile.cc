#include "engine/tune/data_profile.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "engine/train/cycle.h"
#include "engine/tune/context_probe.h"
#include "engine/tune/find_season.h"

namespace tidegate {
namespace {

constexpr std::size_t kMostSampled = 200'000;
constexpr std::size_t kMostLag = 1'024, kLagRows = 20'000, kLagSeries = 8;
constexpr double kRemembered = 0.2;  // autocorrelation that still counts
constexpr double kErrors = 3;        // standard errors of it that are no chance

// The target of the last rows of each series, less its mean, in its deviation, so that sensors of different
// ranges count alike. Leaves out what never varies and what is too short to tell anything.
std::vector<Series> Sample(const std::vector<Series>& series, std::int64_t interval_ns, std::size_t target,
                           std::size_t shortest) {
  std::size_t rows = 0;
  for (const Series& one : series) rows += one.size();
  const double share = std::min(1.0, static_cast<double>(kMostSampled) / static_cast<double>(rows));
  std::vector<Series> sample;
  for (const Series& one : series) {
    const auto kept = static_cast<std::size_t>(share * static_cast<double>(one.size()));
    const std::size_t n = std::min(one.size(), std::max(kept, shortest)), first = one.size() - n;
    if (n < shortest) continue;
    Series own = {.stream = one.stream,
                  .features = 1,
                  .begin_ns = one.TimeOf(first, interval_ns),
                  .values = std::vector<float>(n, std::numeric_limits<float>::quiet_NaN()),
                  .scored = std::vector<bool>(n, true)};
    for (std::size_t t = 0; t < n; ++t) own.time_ns.push_back(one.TimeOf(first + t, interval_ns));
    double count = 0, sum = 0, squares = 0;
    for (std::size_t t = 0; t < n; ++t) {
      const double value = one.values[(first + t) * one.features + target];
      if (!one.scored[first + t] || std::isnan(value)) continue;
      own.values[t] = static_cast<float>(value);
      ++count;
      const double before = value - (count > 1 ? sum / (count - 1) : value);  // Welford: no cancellation
      sum += value;
      squares += before * (value - sum / count);
    }
    if (count < 2 || squares <= 0) continue;
    const double mean = sum / count, deviation = std::sqrt(squares / count);
    for (float& value : own.values) value = static_cast<float>((value - mean) / deviation);
    sample.push_back(std::move(own));
  }
  return sample;
}

// Over the longest series, each as long as its own rows allow.
std::size_t AutocorrelationMemory(const std::vector<Series>& sample) {
  std::vector<const Series*> longest;
  longest.reserve(sample.size());
  for (const Series& one : sample) longest.push_back(&one);
  std::ranges::stable_sort(longest, std::ranges::greater(), &Series::size);
  if (longest.size() > kLagSeries) longest.resize(kLagSeries);
  std::vector<std::vector<float>> centred;
  centred.reserve(longest.size());
  for (const Series* one : longest) {
    const std::size_t n = std::min(one->size(), kLagRows);
    std::vector<float>& values =
        centred.emplace_back(one->values.end() - static_cast<std::ptrdiff_t>(n), one->values.end());
    double sum = 0, count = 0;
    for (const float value : values) {
      if (std::isnan(value)) continue;
      sum += value;
      ++count;
    }
    for (float& value : values) value -= static_cast<float>(sum / std::max(count, 1.0));
  }
  const std::size_t most = std::min(kMostLag, centred.front().size() / 4);
  std::size_t last = 0;
  double rows = 0, squares = 0;  // of the autocorrelations so far, both sides: Bartlett 1946
  for (const std::vector<float>& values : centred) rows += static_cast<double>(values.size());
  for (std::size_t lag = 1; lag <= most; ++lag) {
    double sum = 0, count = 0;
    for (const std::vector<float>& values : centred) {
      if (values.size() < 4 * lag) continue;
      sum += Autocorrelation(values, lag);
      ++count;
    }
    const double now = sum / count, error = std::sqrt((1 + squares) / rows);
    if (now >= std::max(kRemembered, kErrors * error)) last = lag;
    squares += 2 * now * now;
  }
  return std::min(last + 1, most);
}

}  // namespace

absl::StatusOr<DataProfile> ProfileOf(const std::vector<Series>& series, std::int64_t interval_ns,
                                      std::size_t target, std::size_t horizon) {
  const std::size_t shortest = ReadingsToProbe(kShortestContext, horizon);
  DataProfile profile = {.interval_ns = interval_ns, .horizon = horizon};
  absl::flat_hash_set<absl::string_view> streams;
  std::size_t longest = 0, missing = 0;
  for (const Series& one : series) {
    streams.insert(one.stream);
    longest = std::max(longest, one.size());
    profile.readings += one.size();
    profile.features = one.features;
    for (std::size_t t = 0; t < one.size(); ++t)
      missing += std::isnan(one.values[t * one.features + target]) ? 1 : 0;
  }
  if (longest < shortest) {
    return absl::InvalidArgumentError(absl::StrCat("the longest stretch without a long gap has ", longest,
                                                   " readings, expected at least ", shortest,
                                                   " to measure what a horizon of ", horizon, " needs"));
  }
  profile.streams = streams.size();
  profile.breaks = series.size() - streams.size();
  profile.missing = static_cast<double>(missing) / static_cast<double>(profile.readings);

  std::vector<Series> sample = Sample(series, interval_ns, target, shortest);
  if (sample.empty())
    return absl::InvalidArgumentError("the target never varies where there are readings enough");
  const FoundSeason season = FindSeason(sample, interval_ns);
  RemoveSeason(season, interval_ns, sample);
  profile.season = season.readings;
  profile.season_share = season.share;
  profile.memory_autocorrelation = AutocorrelationMemory(sample);
  const ContextProbe probe = ProbeContext(sample, horizon);
  profile.memory_probe = probe.context;
  profile.longest_probe = probe.longest;
  profile.level = probe.level;
  profile.local_pattern = probe.local_pattern;
  profile.gain = probe.gain;
  return profile;
}

}  // namespace tidegate
