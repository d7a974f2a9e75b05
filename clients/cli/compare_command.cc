#include <omp.h>

#include <algorithm>
#include <atomic>
#include <csignal>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "clients/cli/commands.h"
#include "clients/cli/compare_report.h"
#include "clients/cli/interrupt.h"
#include "clients/cli/learning_data.h"
#include "clients/cli/model_test_run.h"
#include "clients/cli/page.h"
#include "clients/cli/table.h"
#include "engine/stream/stream.h"
#include "engine/tune/step_time.h"
#include "engine/tune/trial.h"

namespace tidegate {
namespace {

struct CompareCommand {
  LearningFlags learning;
  absl::Duration budget = absl::Minutes(10);
  std::size_t threads = 0;  // 0: one per core
  std::string report, json;
};

// A family trained with gradients through so many readings.
struct Training {
  Family family;
  CompareReport::Context context;
  std::optional<Trained> trained = {};
};

// Trains all of them, some at once, one thread each; those that `stop` leaves out stay without a model.
class Trainings {
 public:
  Trainings(const LearningData& data, double seconds, std::size_t threads,
            const volatile std::sig_atomic_t& stop)
      : data_(data), seconds_(seconds), threads_(threads), stop_(stop) {
    for (const Family family : kFamilies) {
      for (const auto context : {CompareReport::kShort, CompareReport::kLong})
        trainings_.push_back({.family = family, .context = context});
    }
  }

  absl::Status Run() {
    std::vector<std::thread> threads;
    threads.reserve(threads_);
    for (std::size_t i = 0; i < threads_; ++i) threads.emplace_back([this] { Work(); });
    for (std::thread& thread : threads) thread.join();
    return failed_;
  }

  const std::vector<Training>& all() const { return trainings_; }

 private:
  void Work() {
    omp_set_num_threads(1);
    for (std::size_t i = next_++; i < trainings_.size() && stop_ == 0; i = next_++) {
      Training& training = trainings_[i];
      Candidate candidate = DefaultOf(training.family);
      candidate.context = CompareReport::kReadings[training.context];
      auto trained =
          TrainFor(seconds_, data_.learn, data_.options, candidate, nullptr, [this] { return stop_ == 0; });
      if (absl::IsCancelled(trained.status())) return;
      const absl::MutexLock lock(&mutex_);
      // It alone needs so many readings in a row at once: where the readings are at fault the others fail,
      // too.
      if (training.family == Family::kBidirectionalGru && absl::IsInvalidArgument(trained.status())) {
        ++done_;
        std::cout << absl::StrFormat("  %2d of %d  %s, %d readings: left out: %s\n", done_, trainings_.size(),
                                     FamilyName(training.family), candidate.context,
                                     trained.status().message())
                  << std::flush;
        continue;
      }
      if (!trained.ok()) {
        failed_.Update(trained.status());
        next_ = trainings_.size();
        return;
      }
      training.trained = *std::move(trained);
      ++done_;
      const double share = static_cast<double>(done_) / static_cast<double>(trainings_.size());
      const double spent = absl::ToDoubleSeconds(absl::Now() - begin_);
      std::cout << absl::StrFormat(
                       "  %2d of %d  %s, %d readings: validation %.4g after %d epochs; %.0f s left\n", done_,
                       trainings_.size(), FamilyName(training.family), candidate.context,
                       training.trained->loss, training.trained->epochs, spent * (1 - share) / share)
                << std::flush;
    }
  }

  const LearningData& data_;
  const double seconds_;
  const std::size_t threads_;
  const volatile std::sig_atomic_t& stop_;
  const absl::Time begin_ = absl::Now();
  std::vector<Training> trainings_;
  std::atomic<std::size_t> next_{0};
  absl::Mutex mutex_;
  std::size_t done_ = 0;
  absl::Status failed_;
};

absl::Status AddScore(const Trained& trained, const LearningData& data, CompareReport::Context context,
                      CompareReport::Row& row) {
  const bool windowed = trained.model.spec.window > 0;
  if (windowed && context == CompareReport::kCarried) return absl::OkStatus();
  auto test = TestModel(trained.model, data, CompareReport::kReadings[context],
                        /*baselines=*/context == CompareReport::kCarried && row.family == Family::kGru);
  if (!test.ok()) return test.status();
  row.scores[context] = CompareReport::Score{.validation_loss = trained.loss, .test = *std::move(test)};
  return absl::OkStatus();
}

absl::StatusOr<CompareReport::Row> RowOf(Family family, const std::vector<Training>& trainings,
                                         const LearningData& data) {
  CompareReport::Row row = {.family = family};
  const Trained* last = nullptr;  // the one with the longest context
  for (const Training& training : trainings) {
    if (training.family != family || !training.trained) continue;
    const Trained& trained = *training.trained;
    if (auto s = AddScore(trained, data, training.context, row); !s.ok()) return s;
    if (row.update_seconds == 0) row.update_seconds = trained.update_seconds;
    last = &trained;
    if (training.context == CompareReport::kShort) continue;
    if (auto s = AddScore(trained, data, CompareReport::kCarried, row); !s.ok()) return s;
  }
  if (last == nullptr) return row;
  const auto model = Model::Create(last->model.spec, last->model.tensors);
  if (!model.ok()) return model.status();
  row.parameters = (*model)->parameters();
  row.stream_bytes = StreamBytes(**model);
  row.step_seconds = StepSeconds(**model, 1);
  row.step_seconds_together = StepSeconds(**model, 64);
  return row;
}

absl::Status RunCompare(const CompareCommand& command) {
  const auto data = ReadLearningData(command.learning);
  if (!data.ok()) return data.status();
  constexpr std::size_t kTrainings = 2 * std::size(kFamilies);
  const std::size_t threads = std::min<std::size_t>(
      kTrainings, command.threads > 0 ? command.threads : std::max(1U, std::thread::hardware_concurrency()));
  const std::size_t rounds = (kTrainings + threads - 1) / threads;
  const double seconds = absl::ToDoubleSeconds(command.budget) / static_cast<double>(rounds);
  std::cout << "Training every family on sequences of 64 and of 256 readings, " << Seconds(seconds)
            << " each, " << threads << " at once; Ctrl-C stops and shows those that are done.\n"
            << std::flush;
  const volatile std::sig_atomic_t& stop = ListenForInterrupt();
  Trainings trainings(*data, seconds, threads, stop);
  if (absl::Status status = trainings.Run(); !status.ok()) return status;

  std::cout << "Testing them.\n" << std::flush;
  CompareReport report = {.file = command.learning.file,
                          .readings = data->readings,
                          .streams = data->streams,
                          .horizon = data->options.horizon,
                          .training_seconds = seconds};
  for (const Family family : kFamilies) {
    auto row = RowOf(family, trainings.all(), *data);
    if (!row.ok()) return row.status();
    const bool any = std::ranges::any_of(row->scores, [](const auto& score) { return score.has_value(); });
    if (any) report.rows.push_back(*std::move(row));
  }
  CompareWithGru(report);
  PrintCompare(report, std::cout);
  if (!command.json.empty()) {
    if (absl::Status status = WriteText(command.json, CompareJson(report)); !status.ok()) return status;
  }
  if (!command.report.empty()) {
    if (absl::Status status = WriteText(command.report, CompareHtml(report)); !status.ok()) return status;
  }
  return stop == 0 ? absl::OkStatus()
                   : absl::CancelledError("stopped: what is missing in the table was not trained");
}

}  // namespace

void AddCompareCommand(CLI::App& app, Run& run) {
  auto command = std::make_shared<CompareCommand>();
  CLI::App* const compare = app.add_subcommand(
      "compare", "Train every family of models on the readings of a CSV file, and test each against the GRU");
  AddLearningFlags(*compare, command->learning);
  compare->option_defaults()->group("The comparison")->always_capture_default();
  AddDurationFlag(*compare, "--budget", command->budget, "Time to train, an equal part for each: 10m, 90s");
  compare
      ->add_option("--threads", command->threads, "Models trained at once, one thread each; 0: one per core")
      ->check(CLI::Range(0, 256));
  compare->option_defaults()->group("What it writes")->always_capture_default(false);
  compare->add_option("--report", command->report, "File for a page with pictures (HTML, nothing outside it)")
      ->check(WritableFile());
  compare->add_option("--json", command->json, "File for the table, as JSON")->check(WritableFile());
  compare->footer(
      "Ends with 0; with 130 if Ctrl-C stopped it; with 2 for a flag that is unknown or of the wrong form; "
      "else with 1.");
  compare->callback([&run, command] { run = [command] { return RunCompare(*command); }; });
}

}  // namespace tidegate
