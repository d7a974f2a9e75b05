#include "clients/cli/learning_data.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "clients/cli/commands.h"
#include "clients/cli/grid.h"
#include "clients/cli/table.h"
#include "engine/tune/data_profile.h"

namespace tidegate {
namespace {

constexpr std::size_t kWarmUpRows = 1'024;  // before the test part; states forget

Series Rows(const Series& series, std::size_t begin, std::size_t end, std::int64_t interval_ns) {
  Series part;
  part.stream = series.stream;
  part.features = series.features;
  part.begin_ns = series.TimeOf(begin, interval_ns);
  const auto at = [&](std::size_t row) { return static_cast<std::ptrdiff_t>(row); };
  const auto width = static_cast<std::ptrdiff_t>(series.features);
  part.values.assign(series.values.begin() + at(begin) * width, series.values.begin() + at(end) * width);
  part.scored.assign(series.scored.begin() + at(begin), series.scored.begin() + at(end));
  part.time_ns.assign(series.time_ns.begin() + at(begin), series.time_ns.begin() + at(end));
  return part;
}

}  // namespace

void AddLearningFlags(CLI::App& command, LearningFlags& flags) {
  command.add_option("CSV", flags.file, "File with a header line")->required();
  AddReadingFlags(command, flags.readings);
  command.option_defaults()->group("What is forecast")->always_capture_default();
  command.add_option("--horizon", flags.options.horizon, "Steps of a forecast");
  command.add_option("--quantiles", flags.options.quantiles, "An odd number, rising, within 0 and 1")
      ->delimiter(',');
  command
      .add_option("--normalisation", flags.normalisation,
                  "Scale of the values: one for all streams, or each stream's own")
      ->check(CLI::IsMember({"fixed", "per_stream"}));
  command
      .add_option("--test", flags.test, "Share of each stream's readings, its last, that is only tested on")
      ->check(CLI::Range(0.05, 0.5));
  command.add_option("--seed", flags.options.seed, "Of all random numbers");
}

absl::StatusOr<LearningData> ReadLearningData(const LearningFlags& flags) {
  const auto readings = ReadReadings(flags.file, flags.readings);
  if (!readings.ok()) return readings.status();
  PrintNotes(*readings, std::cout);
  LearningData data{.options = flags.options};
  TrainOptions& options = data.options;
  options.interval_ns = readings->interval_ns;
  options.features = readings->features;
  options.target = readings->target;
  options.per_stream = flags.normalisation == "per_stream";
  options.validation_fraction = 0.2;
  data.readings = readings->size();
  data.streams = readings->streams.size();
  options.trained_on =
      absl::StrCat(std::filesystem::path(flags.file).filename().string(), ", the first ",
                   absl::StrFormat("%.0f %%", 100 * (1 - flags.test)), " of ", Grouped(data.readings),
                   " readings of ", data.streams, data.streams == 1 ? " stream" : " streams");
  const Grid grid = ToGrid(*readings, 0, options.bridge_limit);
  // Each part must be long enough to train, to validate and to be tested by itself.
  const std::size_t shortest = 5 * (options.warm_up + options.horizon + 1);
  std::size_t dropped = 0;
  for (const Series& series : grid.series) {
    if (series.size() < shortest) {
      ++dropped;
      continue;
    }
    const auto split =
        static_cast<std::size_t>(std::llround(static_cast<double>(series.size()) * (1 - flags.test)));
    const std::size_t begin = split > kWarmUpRows ? split - kWarmUpRows : 0;
    data.learn.push_back(Rows(series, 0, split, options.interval_ns));
    data.test.push_back(Rows(series, begin, series.size(), options.interval_ns));
    data.from.push_back(split - begin);
  }
  if (data.learn.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(
        flags.file, ": no stream has ", shortest, " readings without a longer gap, which forecasts of ",
        options.horizon, " steps take to be learnt and tested; give more readings or a shorter --horizon"));
  }
  std::cout << "Read " << Grouped(data.readings) << " readings of " << data.streams
            << (data.streams == 1 ? " stream" : " streams") << " from " << flags.file << ": "
            << absl::StrJoin(options.features, ", ") << "; forecast: " << options.features[options.target]
            << ", " << options.horizon << " steps of "
            << absl::FormatDuration(absl::Nanoseconds(options.interval_ns)) << ".\n";
  if (const auto profile = ProfileOf(data.learn, options.interval_ns, options.target, options.horizon);
      profile.ok() && profile->season > 0) {
    options.cycle = profile->season;
    std::cout << absl::StrFormat("Season: %d readings, %.0f %% of the variance around the trend.\n",
                                 profile->season, 100 * profile->season_share);
  }
  if (dropped > 0) {
    std::cout << dropped << " pieces between gaps are shorter than " << shortest
              << " readings and left out.\n";
  }
  return data;
}

}  // namespace tidegate
