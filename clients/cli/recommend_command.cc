#include <chrono>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "clients/cli/commands.h"
#include "clients/cli/grid.h"
#include "clients/cli/page.h"
#include "clients/cli/recommend_run.h"
#include "engine/train/trainer.h"
#include "engine/tune/step_time.h"

namespace tidegate {
namespace {

struct RecommendCommand {
  RecommendRun run;
  std::string description;
  std::size_t horizon = 24;
  std::string json;
};

absl::StatusOr<DataProfile> Measure(const RecommendCommand& command) {
  const auto readings = ReadReadings(command.run.file, command.run.readings);
  if (!readings.ok()) return readings.status();
  PrintNotes(*readings, std::cout);
  const Grid grid = ToGrid(*readings, 0, TrainOptions().bridge_limit);
  auto profile = ProfileOf(grid.series, readings->interval_ns, readings->target, command.horizon);
  if (!profile.ok()) {
    return absl::Status(profile.status().code(),
                        absl::StrCat(command.run.file, ": ", profile.status().message()));
  }
  return profile;
}

absl::Status RunRecommend(RecommendCommand command) {
  RecommendRun& run = command.run;
  if (run.file.empty() == command.description.empty()) {
    return absl::InvalidArgumentError(run.file.empty()
                                          ? "neither a CSV file nor --describe, expected one of them"
                                          : "a CSV file and --describe, expected one of them");
  }
  const auto begin = std::chrono::steady_clock::now();
  const auto profile = run.file.empty() ? ParseDescription(command.description) : Measure(command);
  if (!profile.ok()) return profile.status();
  run.profile_seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  run.profile = *profile;
  run.profile.horizon = command.horizon;
  absl::Status failed;  // the first model that cannot be made, as of too many features
  run.recommendation = Recommend(run.profile, run.budget, [&failed](const ModelSpec& spec) {
    const auto model = UntrainedModel(spec);
    failed.Update(model.status());
    return model.ok() ? StepSeconds(**model, kStepsTogether) : 0;
  });
  if (!failed.ok()) return failed;
  PrintRecommendation(run, std::cout);
  if (command.json.empty()) return absl::OkStatus();
  return WriteText(command.json, RecommendJson(run));
}

}  // namespace

void AddRecommendCommand(CLI::App& app, Run& run) {
  auto command = std::make_shared<RecommendCommand>();
  Budget& budget = command->run.budget;
  CLI::App* recommend = app.add_subcommand(
      "recommend", "Say which family, context and size of a model suit the readings of a CSV file, and why");
  recommend->add_option("CSV", command->run.file, "File with a header line");
  recommend->add_option(
      "--describe", command->description,
      "In place of a file: interval=10s,memory=300,readings=5000 and, as known, streams=1000,features=1,\n"
      "season=1440,missing=0.01,local=0.2,gain=0.5; readings are those of each stream, memory is how many\n"
      "a forecast profits from, the last three are shares");
  AddReadingFlags(*recommend, command->run.readings);
  recommend->option_defaults()->group("What is asked of the model");
  recommend->add_option("--horizon", command->horizon, "Steps of a forecast")
      ->capture_default_str()
      ->check(CLI::Range(std::size_t{1}, kMostSteps));
  AddDurationFlag(*recommend, "--latency-budget", budget.latency,
                  "From a reading to its forecast within the server, on one core like this one; 0: any");
  recommend
      ->add_option("--streams-per-core", budget.streams_per_core,
                   "That a core like this one must keep up with; 0: any")
      ->capture_default_str()
      ->check(CLI::NonNegativeNumber);
  recommend->add_flag("--bounded-window", budget.bounded_window,
                      "Forecasts may be made anew from the last readings: offline, or few at a time");
  recommend->option_defaults()->group("What it writes");
  recommend->add_option("--json", command->json, "File for everything that is printed, as JSON")
      ->check(WritableFile());
  recommend->callback([&run, command] { run = [command] { return RunRecommend(*command); }; });
}

}  // namespace tidegate
