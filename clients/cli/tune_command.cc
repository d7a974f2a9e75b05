#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <csignal>
#include <filesystem>
#include <functional>
#include <iostream>
#include <limits>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "clients/cli/commands.h"
#include "clients/cli/interrupt.h"
#include "clients/cli/learning_data.h"
#include "clients/cli/model_folder.h"
#include "clients/cli/model_test_run.h"
#include "clients/cli/page.h"
#include "clients/cli/table.h"
#include "clients/cli/train_progress.h"
#include "clients/cli/tune_report.h"
#include "clients/cli/tune_run.h"
#include "engine/stream/stream.h"
#include "engine/tune/step_time.h"

namespace tidegate {
namespace {

constexpr std::size_t kFinalists = 10;

struct TuneCommand {
  LearningFlags learning;
  std::string output = "models";
  absl::Duration budget = absl::Minutes(10);
  absl::Duration latency_budget;
  std::size_t threads = 0;  // 0: one per core
  bool resume = false;
  std::string report, json;
};

// What is said while it searches: a line for each new best, and on a terminal one that moves.
class TuneProgress {
 public:
  TuneProgress(double budget) : terminal_(isatty(STDOUT_FILENO) == 1), budget_(budget) {}

  void operator()(const Search& search, const TuneRun::Result& result) {
    const Search::Trial& trial = search.trials()[result.trial];
    if (result.loss < best_) {
      best_ = result.loss;
      text_ = TextOf(trial.candidate);
      std::cout << (terminal_ ? "\r\033[K" : "")
                << absl::StrFormat("  %6s  validation %.4g  trial %d, rung %d: %s (%s)\n",
                                   Seconds(result.elapsed), best_, result.trial + 1, result.rung + 1, text_,
                                   trial.origin)
                << std::flush;
    }
    if (!result.error.empty()) {
      std::cout << (terminal_ ? "\r\033[K" : "")
                << absl::StrFormat("  %6s  trial %d, %s, could not be trained: %s\n", Seconds(result.elapsed),
                                   result.trial + 1, TextOf(trial.candidate), result.error);
    }
    if (!terminal_) return;
    std::cout << absl::StrFormat("\r\033[K  %s %d candidates, best %.4g: %s; %s left",
                                 ProgressBar(result.elapsed / budget_, 24), search.trials().size(), best_,
                                 text_, Seconds(std::max(0.0, budget_ - result.elapsed)))
              << std::flush;
  }
  void End() const { std::cout << (terminal_ ? "\r\033[K" : "") << std::flush; }

 private:
  bool terminal_;
  double budget_;
  double best_ = std::numeric_limits<double>::infinity();
  std::string text_;
};

void AddPoints(const TuneRun& run, TuneReport& report) {
  const std::vector<Search::Trial>& trials = run.search().trials();
  for (std::size_t t = 0; t < trials.size(); ++t) {
    if (trials[t].losses.empty() || !std::isfinite(trials[t].losses.back())) continue;
    report.points.push_back({.trial = t + 1,
                             .candidate = trials[t].candidate,
                             .origin = trials[t].origin,
                             .rungs = trials[t].losses.size(),
                             .loss = trials[t].losses.back(),
                             .step_seconds = run.cost(t).step_seconds,
                             .parameters = run.cost(t).parameters});
  }
  double best = std::numeric_limits<double>::infinity();
  for (const TuneRun::Result& result : run.results()) {
    report.refused += result.refused ? 1 : 0;
    if (result.loss >= best) continue;
    best = result.loss;
    report.history.emplace_back(result.elapsed, best);
  }
}

// The front, and the best of the others; by loss.
std::vector<TuneReport::Finalist> ChooseFinalists(const TuneReport& report) {
  std::vector<TuneReport::Finalist> chosen;
  std::vector<TuneReport::Point> rest = report.points;
  std::ranges::sort(rest, {}, &TuneReport::Point::loss);
  for (const TuneReport::Point& point : FrontOf(report.points)) {
    if (chosen.size() == kFinalists) break;
    chosen.push_back({.point = point, .front = true});
  }
  for (const TuneReport::Point& point : rest) {
    if (chosen.size() == kFinalists) break;
    const bool there = std::ranges::any_of(
        chosen, [&](const TuneReport::Finalist& other) { return other.point.trial == point.trial; });
    if (!there) chosen.push_back({.point = point});
  }
  std::ranges::sort(chosen, {}, [](const TuneReport::Finalist& finalist) { return finalist.point.loss; });
  return chosen;
}

absl::Status TestFinalists(const TuneRun& run, const LearningData& data, TuneReport& report) {
  for (TuneReport::Finalist& finalist : report.finalists) {
    const bool first = &finalist == &report.finalists.front();
    const auto trained = run.ModelOf(finalist.point.trial - 1);
    if (!trained.ok()) return trained.status();
    const auto model = Model::Create(trained->spec, trained->tensors);
    if (!model.ok()) return model.status();
    finalist.stream_bytes = StreamBytes(**model);
    finalist.step_seconds = StepSeconds(**model, 1);
    finalist.step_seconds_together = StepSeconds(**model, 64);
    auto test = TestModel(*trained, data, /*window=*/0, /*baselines=*/first);
    if (!test.ok()) return test.status();
    finalist.test = *std::move(test);
  }
  return absl::OkStatus();
}

absl::Status SaveWinner(const TuneCommand& command, const TuneRun& run, TuneReport& report) {
  const auto trained = run.ModelOf(report.finalists.front().point.trial - 1);
  if (!trained.ok()) return trained.status();
  const std::filesystem::path folder = NextVersion(std::filesystem::path(command.output) / report.name);
  report.winner = folder.string();
  return SaveModel(*trained, folder);
}

absl::Status RunTune(const TuneCommand& command) {
  const auto data = ReadLearningData(command.learning);
  if (!data.ok()) return data.status();
  const std::size_t cores = std::max(1U, std::thread::hardware_concurrency());
  const std::size_t threads = command.threads > 0 ? command.threads : cores;
  const double budget = absl::ToDoubleSeconds(command.budget);
  TuneProgress progress(budget);
  const std::filesystem::path folder = std::filesystem::path(command.output) / data->options.name / ".tune";
  TuneRun run(*data,
              {.budget = command.budget,
               .latency_budget = command.latency_budget,
               .threads = threads,
               .folder = folder},
              std::ref(progress));
  if (command.resume) {
    if (absl::Status status = run.Resume(); !status.ok()) return status;
    std::cout << "Going on after " << Seconds(run.elapsed()) << ", with " << run.search().trials().size()
              << " candidates.\n";
  }
  std::cout << "Searching for " << absl::FormatDuration(command.budget) << " on " << threads
            << (threads == 1 ? " thread" : " threads") << "; Ctrl-C stops and keeps what was found.\n"
            << std::flush;
  const volatile std::sig_atomic_t& stop = ListenForInterrupt();
  if (absl::Status status = run.Run(stop); !status.ok()) return status;
  progress.End();

  TuneReport report = {.file = command.learning.file,
                       .name = data->options.name,
                       .readings = data->readings,
                       .streams = data->streams,
                       .horizon = data->options.horizon,
                       .seconds = run.elapsed(),
                       .budget = budget,
                       .latency_budget = absl::ToDoubleSeconds(command.latency_budget)};
  AddPoints(run, report);
  report.finalists = ChooseFinalists(report);
  if (absl::Status status = SaveWinner(command, run, report); !status.ok()) return status;
  std::cout << "Testing the best.\n" << std::flush;
  if (absl::Status status = TestFinalists(run, *data, report); !status.ok()) return status;
  PrintTune(report, std::cout);
  if (!command.json.empty()) {
    if (absl::Status status = WriteText(command.json, TuneJson(report)); !status.ok()) return status;
  }
  if (!command.report.empty()) {
    if (absl::Status status = WriteText(command.report, TuneHtml(report)); !status.ok()) return status;
  }
  std::cout << "Serve it: tidegate-server --models " << command.output << '\n';
  if (stop != 0)
    return absl::CancelledError(
        absl::StrCat("stopped; with --resume the search goes on (", folder.string(), ")"));
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  return absl::OkStatus();
}

}  // namespace

void AddTuneCommand(CLI::App& app, Run& run) {
  auto command = std::make_shared<TuneCommand>();
  command->learning.options.name = "tuned";
  CLI::App* const tune = app.add_subcommand(
      "tune", "Search for the model that suits the readings of a CSV file: family, size, context, training");
  AddLearningFlags(*tune, command->learning);
  tune->option_defaults()->group("The search")->always_capture_default();
  AddDurationFlag(*tune, "--budget", command->budget, "Time to search, with that of earlier runs: 10m, 90s");
  AddDurationFlag(
      *tune, "--latency-budget", command->latency_budget,
      "Only models that take no longer for a reading alone on one thread of this machine: 50us; 0: any");
  tune->add_option("--threads", command->threads,
                   "Candidates trained at once, one thread each; 0: one per core")
      ->check(CLI::Range(0, 256));
  tune->option_defaults()->group("What it writes");
  tune->add_option("--name", command->learning.options.name, "Name of the model");
  tune->add_option("--output", command->output, "Folder of models: writes DIR/NAME/VERSION");
  tune->option_defaults()->always_capture_default(false);
  tune->add_option(
          "--report", command->report,
          "File for a page to decide from (HTML, nothing outside it): accuracy against cost, families")
      ->check(WritableFile());
  tune->add_option("--json", command->json, "File for every table, as JSON")->check(WritableFile());
  tune->add_flag("--resume", command->resume,
                 "Go on with the search that was stopped in DIR/NAME, with the same readings and flags");
  tune->footer(
      "Ends with 0; with 130 if Ctrl-C stopped it and the best so far is written; with 2 for a flag that "
      "is unknown or of the wrong form; else with 1.");
  tune->callback([&run, command] { run = [command] { return RunTune(*command); }; });
}

}  // namespace tidegate
