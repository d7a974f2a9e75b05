#include <algorithm>
#include <cmath>
#include <filesystem>
#include <iostream>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/clock.h"
#include "clients/cli/backtest_run.h"
#include "clients/cli/commands.h"
#include "clients/cli/grid.h"
#include "clients/cli/model_columns.h"
#include "clients/cli/page.h"
#include "clients/cli/table.h"
#include "engine/backtest/backtest.h"
#include "engine/model/model_file.h"

namespace tidegate {
namespace {

struct BacktestCommand {
  std::string model;
  std::string file;
  ReadingOptions readings;
  std::string from = "80%";
  RowRange::Bound from_bound = {.value = 80, .percent = true};
  std::vector<std::size_t> horizons;
  std::size_t season = 0;
  bool parts = false;
  std::size_t window = 0;
  std::string json, report;
};

constexpr std::size_t kExamples = 6;

// The first step, a quarter, a half and all of the model's horizon.
std::vector<std::size_t> UsualHorizons(std::size_t horizon) {
  std::vector<std::size_t> horizons = {1};
  for (const std::size_t steps : {horizon / 4, horizon / 2, horizon}) {
    if (steps > horizons.back()) horizons.push_back(steps);
  }
  return horizons;
}

// The first row of the test part in each series: the first one that is not before that row of its stream.
std::vector<std::size_t> TestRows(const Readings& readings, const Grid& grid, const RowRange::Bound& from) {
  std::vector<std::size_t> rows;
  for (const Series& series : grid.series) {
    const auto stream = std::ranges::find(readings.streams, series.stream, &StreamReadings::stream);
    const std::size_t row = PlaceOf(from, stream->size());
    const auto first = row < stream->size()
                           ? std::ranges::lower_bound(series.time_ns, stream->timestamp_ns[row])
                           : series.time_ns.end();
    rows.push_back(static_cast<std::size_t>(first - series.time_ns.begin()));
  }
  return rows;
}

// The readings as the model takes them, on its time grid.
absl::StatusOr<Readings> ReadFor(const ModelSpec& spec, const BacktestCommand& command) {
  auto readings = ReadReadings(command.file, command.readings);
  if (!readings.ok()) return readings.status();
  PrintNotes(*readings, std::cout);
  const double ratio = static_cast<double>(readings->interval_ns) / static_cast<double>(spec.interval_ns);
  if (ratio < 2.0 / 3 || ratio > 1.5) {
    return absl::InvalidArgumentError(absl::StrCat(
        command.file, ": readings are ", absl::FormatDuration(absl::Nanoseconds(readings->interval_ns)),
        " apart, model '", spec.name, "' takes one every ",
        absl::FormatDuration(absl::Nanoseconds(spec.interval_ns)),
        "; give the right file, columns or --interval"));
  }
  readings->interval_ns = spec.interval_ns;
  return FitToModel(*std::move(readings), ColumnsOf(spec), command.readings.target);
}

absl::StatusOr<Backtest> RunOne(const ModelSpec& spec, const Tensors& tensors,
                                const std::vector<Series>& series, const BacktestOptions& options) {
  const auto model = Model::Create(spec, tensors);
  if (!model.ok()) return model.status();
  return RunBacktest(**model, series, options);
}

// The linear path and the network, each alone.
absl::Status RunParts(const Tensors& all, const std::vector<Series>& series, BacktestOptions options,
                      BacktestRun& run) {
  options.baselines = false;
  for (const auto& [name, what, share] : {std::tuple("linear_path", "The linear path alone", 0.0f),
                                          std::tuple("network", "The network alone", 1.0f)}) {
    Tensors tensors = all;
    std::ranges::fill(tensors.at("mixing.network").values, share);
    auto result = RunOne(run.spec, tensors, series, options);
    if (!result.ok()) return result.status();
    run.parts.push_back({.name = name, .result = *std::move(result)});
    BacktestRun shown = run;
    shown.result = run.parts.back().result;
    std::cout << what << ":\n";
    PrintBacktest(shown, std::cout);
  }
  return absl::OkStatus();
}

// The same weights, every forecast made anew from the last readings: what carrying the state on is worth.
ModelSpec Windowed(ModelSpec spec, std::size_t window) {
  spec.window = window;
  spec.interleaved = false;  // of one window there is one chain
  return spec;
}

absl::Status RunWindowed(const Tensors& tensors, const std::vector<Series>& series, BacktestOptions options,
                         BacktestRun& run) {
  options.baselines = false;
  options.examples = 0;
  auto result = RunOne(Windowed(run.spec, run.window), tensors, series, options);
  if (!result.ok()) return result.status();
  run.windowed = *std::move(result);
  BacktestRun shown = run;
  shown.result = run.windowed;
  std::cout << "Each made anew from the last " << run.window << " readings:\n";
  PrintBacktest(shown, std::cout);
  return absl::OkStatus();
}

absl::Status RunBacktestCommand(const BacktestCommand& command) {
  auto files = ReadModelFiles(command.model);
  if (!files.ok()) return files.status();
  const ModelSpec& spec = files->spec;
  if (command.window > 0) {
    const auto windowed = Model::Create(Windowed(spec, command.window), files->tensors);
    if (!windowed.ok())
      return absl::Status(windowed.status().code(), absl::StrCat("--window: ", windowed.status().message()));
  }
  if (command.parts && spec.linear_context == 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("--parts: model '", spec.name, "' has no linear path, its network is all there is"));
  }
  const auto readings = ReadFor(spec, command);
  if (!readings.ok()) return readings.status();
  const Grid grid = ToGrid(*readings, 0, spec.bridge_limit);

  BacktestRun run = {
      .spec = spec, .model = command.model, .file = command.file, .rows = command.readings.rows.text};
  run.from = command.from_bound.percent ? command.from : absl::StrCat("row ", command.from);
  run.readings = readings->size();
  run.streams = readings->streams.size();
  BacktestOptions options = {.from = TestRows(*readings, grid, command.from_bound),
                             .horizons = command.horizons};
  if (options.horizons.empty()) options.horizons = UsualHorizons(spec.horizon);
  run.season =
      SeasonOf(spec, command.season, options.from.empty() ? 0 : *std::ranges::max_element(options.from));
  options.season = run.season.readings;
  if (!command.report.empty()) options.examples = kExamples;
  options.clock = [] { return absl::ToDoubleSeconds(absl::Now() - absl::UnixEpoch()); };

  std::cout << "Replayed " << Grouped(run.readings) << " readings of " << run.streams
            << (run.streams == 1 ? " stream" : " streams") << ": " << Grouped(grid.missing)
            << " missing between them, " << Grouped(grid.breaks) << " longer gaps, " << Grouped(grid.crowded)
            << " too close to the one before.\n"
            << std::flush;
  auto result = RunOne(spec, files->tensors, grid.series, options);
  if (absl::StartsWith(result.status().message(), "horizon")) return result.status();
  if (!result.ok()) {
    return {result.status().code(), absl::StrCat(command.file, ": ", result.status().message())};
  }
  run.result = *std::move(result);
  std::cout << TestText(run)
            << "Errors over the first steps of each forecast, in deviations of the training readings.\n\n"
            << "As served, one pass, state carried on:\n";
  PrintBacktest(run, std::cout);
  if (command.parts) {
    absl::Status status = RunParts(files->tensors, grid.series, options, run);
    if (!status.ok()) return status;
  }
  if (command.window > 0) {
    run.window = command.window;
    if (auto s = RunWindowed(files->tensors, grid.series, options, run); !s.ok()) return s;
  }
  if (!command.json.empty()) {
    absl::Status status = WriteText(command.json, BacktestJson(run));
    if (!status.ok()) return status;
  }
  return command.report.empty() ? absl::OkStatus() : WriteText(command.report, BacktestHtml(run));
}

}  // namespace

void AddBacktestCommand(CLI::App& app, Run& run) {
  auto command = std::make_shared<BacktestCommand>();
  CLI::App* backtest = app.add_subcommand(
      "backtest",
      "Replay the readings of a CSV file through a model as a server would, and score its forecasts");
  backtest->add_option("MODEL", command->model, "Folder with model.json")->required();
  backtest->add_option("CSV", command->file, "File with a header line")->required();
  AddReadingFlags(*backtest, command->readings);
  backtest->option_defaults()->group("The test");
  backtest
      ->add_option(
          "--from", command->from,
          "First row of each stream to forecast, a number from 0 or a percentage; the rows before it\n"
          "warm the model up and are what the baselines learn from")
      ->capture_default_str()
      ->each([command](const std::string& text) {
        const auto bound = ParseRowBound(text);
        if (!bound.ok()) throw CLI::ValidationError("--from", std::string(bound.status().message()));
        command->from_bound = *bound;
      });
  backtest
      ->add_option(
          "--horizons", command->horizons,
          "Steps to score, separated by commas\n(default: 1, a quarter, a half and all of the model's)")
      ->delimiter(',');
  backtest->add_option("--season", command->season,
                       "Readings after which they are alike again, for the baseline and MASE\n"
                       "(default: the model's cycle, else by its interval)");
  backtest->add_flag("--parts", command->parts, "Also the linear path and the network, each alone");
  backtest->add_option("--window", command->window,
                       "Also each forecast made anew from so many last readings in place of the state that "
                       "is carried on:\nwhat that loses and costs");
  backtest->option_defaults()->group("What it writes");
  backtest->add_option("--json", command->json, "File for every table, as JSON")->check(WritableFile());
  backtest
      ->add_option("--report", command->report,
                   "File for a page with pictures (HTML, nothing outside it): forecasts beside what came,\n"
                   "error by step, calibration, coverage over time")
      ->check(WritableFile());
  backtest->callback([&run, command] { run = [command] { return RunBacktestCommand(*command); }; });
}

}  // namespace tidegate
