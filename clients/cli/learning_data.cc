#include "clients/cli/learning_data.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "clients/cli/commands.h"
#include "clients/cli/grid.h"
#include "clients/cli/table.h"
#include "engine/train/dataset.h"
#include "engine/tune/data_profile.h"

namespace tidegate {
namespace {

constexpr std::size_t kRowsBefore = 100'000;  // at most, before the test part: baselines learn from them

}  // namespace

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

namespace {

// Cuts the pieces of one stream, in their order in time, at the first of its last `test` rows. shortest: rows
// that a piece must have to be learnt from. Returns how many are neither learnt nor tested.
std::size_t CutStream(std::span<const Series> pieces, std::size_t test, std::size_t shortest,
                      LearningData& data) {
  const TrainOptions& options = data.options;
  std::size_t rows = 0, left_out = 0;
  for (const Series& piece : pieces) rows += piece.size();
  const std::size_t boundary = rows - test;
  std::size_t before = 0;  // rows of the pieces so far
  for (const Series& piece : pieces) {
    const std::size_t n = piece.size();
    const std::size_t split = std::min(n, boundary - std::min(before, boundary));
    before += n;
    const std::size_t trained = TrainingRows(split, options.validation_fraction, options.horizon);
    const bool learnt =
        split >= shortest && CanLearn(piece, options.target, options.warm_up, trained, options.horizon);
    if (learnt) data.learn.push_back(Rows(piece, 0, split, options.interval_ns));
    const bool tested =
        n >= std::max<std::size_t>(split, 1) + options.horizon &&
        CanLearn(piece, options.target, std::max<std::size_t>(split, 1) - 1, n, options.horizon);
    if (tested) {
      const std::size_t begin = split > kRowsBefore ? split - kRowsBefore : 0;
      data.test.push_back(Rows(piece, begin, n, options.interval_ns));
      data.from.push_back(split - begin);
    }
    left_out += learnt || tested ? 0 : 1;
  }
  return left_out;
}

}  // namespace

void AddLearningFlags(CLI::App& command, LearningFlags& flags) {
  command.add_option("CSV", flags.file, "File with a header line")->required();
  AddReadingFlags(command, flags.readings);
  command.option_defaults()->group("What is forecast")->always_capture_default();
  command.add_option("--horizon", flags.options.horizon, "Steps of a forecast");
  command
      .add_option("--quantiles", flags.options.quantiles,
                  "An odd number, rising, within 0 and 1, of several 0.5 in the middle")
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
  const std::size_t shortest = 4 * (options.warm_up + options.horizon + 1);  // to train and to validate
  std::size_t left_out = 0;
  for (std::size_t begin = 0, end; begin < grid.series.size(); begin = end) {
    std::size_t rows = 0;
    for (end = begin; end < grid.series.size() && grid.series[end].stream == grid.series[begin].stream; ++end)
      rows += grid.series[end].size();
    const auto test = static_cast<std::size_t>(std::llround(static_cast<double>(rows) * flags.test));
    left_out += CutStream(std::span(grid.series).subspan(begin, end - begin), test, shortest, data);
  }
  if (data.learn.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(flags.file, ": before the test part no stream has ", shortest,
                     " readings without a longer gap, which forecasts of ", options.horizon,
                     " steps take to be learnt; give more readings or a shorter --horizon"));
  }
  if (data.test.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(flags.file, ": the test part of no stream has the ", options.horizon,
                     " readings that a forecast takes, with values of '", options.features[options.target],
                     "' to score; give more readings, a larger --test or a shorter --horizon"));
  }
  std::cout << "Read " << Grouped(data.readings) << " readings of " << data.streams
            << (data.streams == 1 ? " stream" : " streams") << " from " << flags.file << ": "
            << absl::StrJoin(options.features, ", ") << "; forecast: " << options.features[options.target]
            << ", " << options.horizon << " steps of "
            << absl::FormatDuration(absl::Nanoseconds(options.interval_ns)) << ".\n";
  // A cycle is of one scale.
  if (const auto profile = ProfileOf(data.learn, options.interval_ns, options.target, options.horizon);
      !options.per_stream && profile.ok() && profile->season > 0) {
    options.cycle = profile->season;
    std::cout << absl::StrFormat("Season: %d readings, %.0f %% of the variance around the trend.\n",
                                 profile->season, 100 * profile->season_share);
  }
  if (left_out > 0) {
    std::cout << left_out
              << " pieces between gaps have too few readings to be learnt or tested, and are left out.\n";
  }
  return data;
}

}  // namespace tidegate
