#include "engine/train/cycle.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>

#include "engine/stream/stream.h"
#include "engine/tensor/nan.h"

namespace tidegate {
namespace {

constexpr std::size_t kTimesSeen = 4;
constexpr double kLeastLikeness = 0.2;  // autocorrelation of a period that is worth a try

// The lag of the highest autocorrelation after the first fall below zero, up to `most`; 0: none is high.
std::size_t StrongestLag(const std::vector<float>& values, std::size_t most) {
  std::size_t lag = 1;
  while (lag <= most && Autocorrelation(values, lag) > 0) ++lag;
  std::size_t best = 0;
  double highest = kLeastLikeness;
  for (; lag <= most; ++lag) {
    const double now = Autocorrelation(values, lag);
    if (now > highest * (best == 0 ? 1 : 1.02)) {  // multiples of a period are no better than it
      highest = now;
      best = lag;
    }
  }
  return best;
}

}  // namespace

std::vector<float> LessTrend(const Series& series, std::size_t split, std::size_t f, std::size_t period) {
  std::vector<double> sums(split + 1), counts(split + 1);
  std::vector<float> values(split, kNaN);
  for (std::size_t t = 0; t < split; ++t) {
    if (series.scored[t]) values[t] = series.values[t * series.features + f];
    const bool known = !std::isnan(values[t]);
    sums[t + 1] = sums[t] + (known ? values[t] : 0);
    counts[t + 1] = counts[t] + (known ? 1 : 0);
  }
  std::vector<float> rest(split, kNaN);
  for (std::size_t t = 0; t < split; ++t) {
    // A whole period even at the ends, so that no part of a cycle weighs more.
    const std::size_t begin =
        std::min(t > period / 2 ? t - period / 2 : 0, split > period ? split - period : 0);
    const std::size_t end = std::min(begin + period, split);
    const double count = counts[end] - counts[begin];
    if (count > 0) rest[t] = values[t] - static_cast<float>((sums[end] - sums[begin]) / count);
  }
  return rest;
}

double Autocorrelation(std::span<const float> values, std::size_t lag) {
  double product = 0, squares = 0;
  for (std::size_t t = lag; t < values.size(); ++t) {
    if (std::isnan(values[t]) || std::isnan(values[t - lag])) continue;
    product += static_cast<double>(values[t]) * values[t - lag];
    squares += (static_cast<double>(values[t]) * values[t] +
                static_cast<double>(values[t - lag]) * values[t - lag]) /
               2;
  }
  return squares > 0 ? product / squares : 0;
}

std::vector<std::size_t> CandidatePeriods(const std::vector<Series>& series,
                                          const std::vector<std::size_t>& splits, const ModelSpec& spec) {
  constexpr std::int64_t kDay = std::int64_t{86'400} * 1'000'000'000;
  constexpr std::size_t kMostReadings = 20'000, kMostLag = 1'024;
  const std::size_t longest = *std::ranges::max_element(splits);
  std::set<std::size_t> periods;
  for (const std::int64_t whole : {kDay, 7 * kDay}) {
    if (whole % spec.interval_ns == 0) periods.insert(static_cast<std::size_t>(whole / spec.interval_ns));
  }
  for (std::size_t s = 0; s < series.size() && s < 8; ++s) {
    const std::size_t rows = std::min(splits[s], kMostReadings), most = std::min(kMostLag, rows / kTimesSeen);
    if (most < 2) continue;
    periods.insert(StrongestLag(LessTrend(series[s], rows, spec.target, most), most));
  }
  std::erase_if(periods, [&](std::size_t period) {
    return period < 2 || period * kTimesSeen > longest || period > 65'536;
  });
  return {periods.begin(), periods.end()};
}

std::vector<float> FitCycle(const std::vector<Series>& series, const std::vector<std::size_t>& splits,
                            const ModelSpec& spec, std::size_t period, std::optional<RowBlock> left) {
  const std::size_t columns = spec.cycle_columns();
  std::vector<double> sums(period * columns), counts(period * columns);
  for (std::size_t s = 0; s < series.size(); ++s) {
    for (std::size_t f = 0; f < spec.input_features(); ++f) {
      const std::vector<float> rest = LessTrend(series[s], splits[s], f, period);
      const std::size_t known = FirstKnown(rest);
      const std::size_t begin = left ? left->Begin(known, rest.size()) : 0;
      const std::size_t end = left ? left->End(known, rest.size()) : 0;
      for (std::size_t t = 0; t < rest.size(); ++t) {
        if (std::isnan(rest[t]) || (t >= begin && t < end)) continue;
        const float number = series[s].values[(t + 1) * series[s].features - 1];
        const std::size_t column = spec.channel_scales.empty() ? f : spec.ChannelOf(number);
        const std::size_t row = CycleRow(spec, period, series[s].TimeOf(t, spec.interval_ns));
        const std::size_t cell = row * columns + column;
        sums[cell] += rest[t];
        ++counts[cell];
      }
    }
  }
  std::vector<float> table(period * columns);
  for (std::size_t i = 0; i < table.size(); ++i) {
    if (counts[i] > 0) table[i] = static_cast<float>(sums[i] / counts[i]);
  }
  return table;
}

}  // namespace tidegate
