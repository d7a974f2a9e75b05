#include <algorithm>
#include <cmath>
#include <iostream>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/clock.h"
#include "clients/cli/channels.h"
#include "clients/cli/commands.h"
#include "clients/cli/grid.h"
#include "clients/cli/table.h"
#include "engine/backtest/backtest.h"
#include "engine/model/model_file.h"

namespace tidegate {
namespace {

struct BacktestCommand {
  std::string model;
  std::string file;
  ReadingOptions readings;
  BacktestOptions options;
  bool parts = false;
};

void Print(const char* what, const ModelSpec& spec, const Backtest& result, double seconds) {
  std::cout << what << ":\n";
  Table table(
      {"steps", "origins", "targets", "MSE", "MAE", "last value MSE", "MAE", "pinball",
       absl::StrFormat("in %.0f %%", 100 * (spec.quantiles.back() - spec.quantiles.front())), "width"},
      0);
  for (const HorizonScore& score : result.horizons) {
    table.Add({absl::StrCat(score.horizon), Grouped(score.origins), Grouped(score.scored),
               absl::StrFormat("%.4f", score.mse), absl::StrFormat("%.4f", score.mae),
               absl::StrFormat("%.4f", score.persistence_mse), absl::StrFormat("%.4f", score.persistence_mae),
               absl::StrFormat("%.4f", score.pinball), absl::StrFormat("%.1f %%", 100 * score.coverage),
               absl::StrFormat("%.3f", score.width)});
  }
  table.Print(std::cout);
  std::cout << absl::StrFormat("%s readings, %.1f us each.\n\n", Grouped(result.steps),
                               1e6 * seconds / static_cast<double>(result.steps));
}

absl::Status RunOne(const char* what, const ModelSpec& spec, const Tensors& tensors,
                    const std::vector<Series>& series, const BacktestOptions& options) {
  const auto model = Model::Create(spec, tensors);
  if (!model.ok()) return model.status();
  const absl::Time begin = absl::Now();
  const auto result = RunBacktest(**model, series, options, nullptr);
  if (!result.ok()) return result.status();
  Print(what, spec, *result, absl::ToDoubleSeconds(absl::Now() - begin));
  return absl::OkStatus();
}

absl::Status RunBacktestCommand(const BacktestCommand& command) {
  auto files = ReadModelFiles(command.model);
  if (!files.ok()) return files.status();
  const ModelSpec& spec = files->spec;
  auto readings = ReadReadings(command.file, command.readings);
  if (!readings.ok()) return readings.status();
  if (!spec.channel_scales.empty()) {
    std::vector<std::string> channels;
    for (const Feature& channel : spec.channel_scales) channels.push_back(channel.name);
    readings = ToChannels(*readings, channels);
    if (!readings.ok()) return readings.status();
  }
  const Grid grid = ToGrid(*readings, 0, spec.bridge_limit);
  std::cout << "Replayed " << Grouped(readings->size()) << " readings of " << readings->streams.size()
            << " streams; errors in deviations of the training readings.\n\n";
  absl::Status status =
      RunOne("As served, one pass, state carried on", spec, files->tensors, grid.series, command.options);
  if (!status.ok() || !command.parts || spec.linear_context == 0) return status;
  for (const auto& [what, share] :
       {std::pair("The linear path alone", 0.0f), std::pair("The network alone", 1.0f)}) {
    Tensors tensors = files->tensors;
    std::ranges::fill(tensors.at("mixing.network").values, share);
    status = RunOne(what, spec, tensors, grid.series, command.options);
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

void AddBacktestCommand(CLI::App& app, Run& run) {
  auto command = std::make_shared<BacktestCommand>();
  CLI::App* backtest = app.add_subcommand(
      "backtest", "Replay the readings of a CSV file through a model and score its forecasts");
  backtest->add_option("MODEL", command->model, "Folder with model.json")->required();
  backtest->add_option("CSV", command->file, "File with a header line")->required();
  AddReadingFlags(*backtest, command->readings);
  backtest->option_defaults()->always_capture_default()->group("The test");
  backtest->add_option("--from", command->options.from,
                       "First row of each stream to forecast, counted from 0; those before it warm up");
  backtest->add_option("--horizons", command->options.horizons, "Steps to score, separated by commas")
      ->delimiter(',');
  backtest->add_flag("--parts", command->parts, "Also the linear path and the network, each alone");
  backtest->callback([&run, command] { run = [command] { return RunBacktestCommand(*command); }; });
}

}  // namespace tidegate
