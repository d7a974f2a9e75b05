#include "clients/cli/tune_run.h"

#include <omp.h>

#include <algorithm>
#include <cmath>
#include <exception>
#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <sstream>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "clients/cli/model_folder.h"
#include "engine/model/json.h"
#include "engine/model/model_file.h"
#include "engine/model/read_file.h"
#include "engine/tune/step_time.h"

namespace tidegate {
namespace {

using Json = nlohmann::ordered_json;

constexpr char kTrials[] = "trials.jsonl";
constexpr double kNever = std::numeric_limits<double>::infinity();  // the loss of what failed

absl::Status CannotWrite(const std::filesystem::path& file) {
  return absl::UnavailableError(absl::StrCat(file.string(), ": cannot be written"));
}

absl::StatusOr<Checkpoint> ReadKept(const std::filesystem::path& file) {
  const auto bytes = ReadWholeFile(file);
  if (!bytes.ok()) return bytes.status();
  auto checkpoint = ParseCheckpoint(*bytes);
  if (checkpoint.ok()) return checkpoint;
  return absl::DataLossError(absl::StrCat(file.string(), ": ", checkpoint.status().message()));
}

}  // namespace

TuneRun::TuneRun(const LearningData& data, Options options, Told told)
    : data_(data),
      options_(std::move(options)),
      told_(std::move(told)),
      search_({.seed = data.options.seed,
               .seconds = absl::ToDoubleSeconds(options_.budget),
               .season = data.options.cycle > 0}) {}

double TuneRun::elapsed() const { return before_ + absl::ToDoubleSeconds(absl::Now() - begin_); }

std::filesystem::path TuneRun::FileOf(std::size_t trial, const char* what) const {
  return options_.folder / absl::StrCat("trial-", trial + 1, what);
}

// What another run must have in common with this one to go on; the budgets may change.
std::string TuneRun::Identity() const { return TrainingIdentity(data_.learn, data_.options, /*workers=*/1); }

absl::Status TuneRun::Resume() {
  const std::filesystem::path file = options_.folder / kTrials;
  std::ifstream in(file);
  std::string line;
  if (!std::getline(in, line)) {
    return absl::NotFoundError(
        absl::StrCat(file.string(), " is not there or empty: there is no search to go on with"));
  }
  if (absl::Status same = CheckIdentity(line, Identity()); !same.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat(file.string(), " is of a search with other readings or flags: ", same.message()));
  }
  std::vector<Search::Trial> trials;
  std::uintmax_t whole = line.size() + 1;  // bytes of whole lines
  for (; std::getline(in, line) && !in.eof(); whole += line.size() + 1) {
    const Json json = Json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (json.is_discarded()) break;
    try {
      Result result;
      json.at("trial").get_to(result.trial);
      json.at("rung").get_to(result.rung);
      result.loss =
          json.at("loss").is_null() ? std::numeric_limits<double>::infinity() : json.at("loss").get<double>();
      json.at("elapsed").get_to(result.elapsed);
      json.at("epochs").get_to(result.epochs);
      json.at("refused").get_to(result.refused);
      const auto candidate = ParseCandidate(json.at("candidate").dump());
      if (!candidate.ok()) return candidate.status();
      if (result.trial > 100'000) break;
      if (trials.size() <= result.trial) trials.resize(result.trial + 1);
      trials[result.trial].candidate = *candidate;
      json.at("origin").get_to(trials[result.trial].origin);
      trials[result.trial].losses.resize(result.rung + 1, result.loss);
      trials[result.trial].losses[result.rung] = result.loss;
      if (costs_.size() <= result.trial) costs_.resize(result.trial + 1);
      json.at("step_seconds").get_to(costs_[result.trial].step_seconds);
      json.at("parameters").get_to(costs_[result.trial].parameters);
      before_ = result.elapsed;
      if (result.rung == 0)  // it was refused, and trained by a run with another budget
        std::erase_if(results_, [&](const Result& old) { return old.trial == result.trial; });
      results_.push_back(result);
    } catch (const nlohmann::json::exception& error) {
      return absl::InvalidArgumentError(absl::StrCat(file.string(), ": ", error.what()));
    }
  }
  // What is behind them was cut in the middle, as the process ended, and would spoil the next line.
  in.close();
  std::error_code error;
  if (std::filesystem::file_size(file, error) > whole) std::filesystem::resize_file(file, whole, error);
  if (error) return CannotWrite(file);
  JudgeLatency(trials);
  for (Search::Trial& trial : trials) search_.Restore(std::move(trial));
  return absl::OkStatus();
}

// Refuses what an earlier run trained and the latency budget of this one does not allow, and lets what it
// refused begin anew if it fits now.
void TuneRun::JudgeLatency(std::vector<Search::Trial>& trials) {
  for (std::size_t t = 0; t < trials.size(); ++t) {
    const auto of_trial = [t](const Result& result) { return result.trial == t; };
    const auto first = std::ranges::find_if(results_, of_trial);
    if (first == results_.end() || first->refused == IsTooSlow(costs_[t])) continue;
    if (!first->refused && !std::isfinite(trials[t].losses.back())) continue;  // it could not be trained
    const Result refused = {.trial = t, .loss = kNever, .elapsed = first->elapsed, .refused = true};
    const bool fits = first->refused;
    std::erase_if(results_, of_trial);
    trials[t].losses.clear();
    if (fits) continue;
    trials[t].losses = {kNever};
    results_.push_back(refused);
  }
}

bool TuneRun::IsTooSlow(const Cost& cost) const {
  return options_.latency_budget > absl::ZeroDuration() &&
         cost.step_seconds > absl::ToDoubleSeconds(options_.latency_budget);
}

absl::Status TuneRun::Run(const volatile std::sig_atomic_t& stop) {
  std::error_code error;
  std::filesystem::create_directories(options_.folder, error);
  begin_ = absl::Now();
  if (results_.empty()) {
    std::ofstream out(options_.folder / kTrials);
    out << Identity() << '\n';
    if (!out.flush()) return CannotWrite(options_.folder / kTrials);
  }
  std::vector<std::thread> threads;
  threads.reserve(options_.threads);
  for (std::size_t i = 0; i < options_.threads; ++i) threads.emplace_back([&] { Work(stop); });
  for (std::thread& thread : threads) thread.join();
  if (!failed_.ok()) return failed_;
  if (search_.best()) return absl::OkStatus();
  if (stop != 0) return absl::CancelledError("stopped before anything was trained");
  return absl::InvalidArgumentError(
      "no candidate could be trained within the budgets: give more time (--budget) or a longer "
      "--latency-budget");
}

void TuneRun::Work(const volatile std::sig_atomic_t& stop) {
  omp_set_num_threads(1);
  while (stop == 0) {
    std::optional<Search::Task> task;
    Candidate candidate;
    {
      const absl::MutexLock lock(&mutex_);
      if (!failed_.ok()) return;
      task = search_.Next(elapsed());
      if (!task) return;
      candidate = search_.trials()[task->trial].candidate;
      if (costs_.size() <= task->trial) costs_.resize(task->trial + 1);
    }
    if (absl::Status status = DoOrCatch(*task, candidate, stop); !status.ok()) {
      const absl::MutexLock lock(&mutex_);
      failed_.Update(status);
      return;
    }
  }
}

absl::StatusOr<TuneRun::Cost> TuneRun::CostOf(std::size_t trial, const Candidate& candidate) {
  const auto model = UntrainedModel(SpecOf(TrialOptions(data_.options, candidate)));
  if (!model.ok()) return model.status();
  const Cost cost = {.step_seconds = StepSeconds(**model, 1), .parameters = (*model)->parameters()};
  const absl::MutexLock lock(&mutex_);
  return costs_[trial] = cost;
}

// A thread that an exception leaves would end the process, and the best so far would not be written.
absl::Status TuneRun::DoOrCatch(const Search::Task& task, const Candidate& candidate,
                                const volatile std::sig_atomic_t& stop) {
  try {
    return Do(task, candidate, stop);
  } catch (const std::exception& error) {
    return absl::InternalError(absl::StrCat("trial ", task.trial + 1, ": ", error.what()));
  }
}

absl::Status TuneRun::Do(const Search::Task& task, const Candidate& candidate,
                         const volatile std::sig_atomic_t& stop) {
  Checkpoint checkpoint;
  if (task.rung == 0) {
    const auto cost = CostOf(task.trial, candidate);
    if (!cost.ok()) return cost.status();
    if (IsTooSlow(*cost)) return Note({.trial = task.trial, .loss = kNever, .refused = true}, candidate);
  } else {
    auto read = ReadKept(FileOf(task.trial, ".checkpoint"));
    if (!read.ok()) {
      return Note({.trial = task.trial,
                   .rung = task.rung,
                   .loss = kNever,
                   .error = std::string(read.status().message())},
                  candidate);
    }
    checkpoint = *std::move(read);
  }
  const double left = absl::ToDoubleSeconds(options_.budget) - elapsed();
  auto trained = TrainFor(std::min(task.seconds, std::max(left, 0.0)), data_.learn, data_.options, candidate,
                          task.rung == 0 ? nullptr : &checkpoint, [&stop] { return stop == 0; });
  if (absl::IsCancelled(trained.status())) return absl::OkStatus();
  if (trained.ok()) return Keep(task, candidate, *trained);
  if (task.trial == 0) return trained.status();  // the first default: the readings are at fault
  return Note({.trial = task.trial,
               .rung = task.rung,
               .loss = kNever,
               .error = std::string(trained.status().message())},
              candidate);
}

absl::Status TuneRun::Keep(const Search::Task& task, const Candidate& candidate, const Trained& trained) {
  // Drafts, so that a search that ends here finds the old ones or the new ones.
  const std::filesystem::path file = FileOf(task.trial, ".checkpoint"), folder = FileOf(task.trial, "");
  const std::filesystem::path file_draft = FileOf(task.trial, ".checkpoint.draft"),
                              folder_draft = FileOf(task.trial, ".draft");
  std::ofstream out(file_draft, std::ios::binary);
  out << WriteCheckpoint(trained.checkpoint);
  out.close();
  if (!out) return CannotWrite(file_draft);
  std::error_code error;
  std::filesystem::remove_all(folder_draft, error);
  if (absl::Status s = SaveModel(trained.model, folder_draft); !s.ok()) return s;
  std::filesystem::rename(file_draft, file, error);
  if (error) return CannotWrite(file);
  std::filesystem::remove_all(folder, error);
  std::filesystem::rename(folder_draft, folder, error);
  if (error) return CannotWrite(folder);
  return Note({.trial = task.trial, .rung = task.rung, .loss = trained.loss, .epochs = trained.epochs},
              candidate);
}

absl::Status TuneRun::Note(const Result& ended, const Candidate& candidate) {
  const absl::MutexLock lock(&mutex_);
  Result result = ended;
  result.elapsed = elapsed();
  search_.Report(result.trial, result.rung, result.loss);
  results_.push_back(result);
  const Cost& cost = costs_[result.trial];
  const Json line = {{"trial", result.trial},
                     {"rung", result.rung},
                     {"loss", result.loss},  // infinite: null
                     {"elapsed", result.elapsed},
                     {"epochs", result.epochs},
                     {"step_seconds", cost.step_seconds},
                     {"parameters", cost.parameters},
                     {"refused", result.refused},
                     {"error", result.error},
                     {"origin", search_.trials()[result.trial].origin},
                     {"candidate", Json::parse(CandidateJson(candidate))}};
  std::ofstream out(options_.folder / kTrials, std::ios::app);
  out << JsonText(line) << '\n';
  if (!out.flush()) return CannotWrite(options_.folder / kTrials);
  told_(search_, result);
  return absl::OkStatus();
}

absl::StatusOr<TrainedModel> TuneRun::ModelOf(std::size_t trial) const {
  const std::filesystem::path folder = FileOf(trial, "");
  std::error_code unknown;  // without it the search had ended in Keep, where the draft is whole already
  auto files = ReadModelFiles(std::filesystem::exists(folder, unknown) ? folder : FileOf(trial, ".draft"));
  if (!files.ok()) return files.status();
  return TrainedModel{.spec = std::move(files->spec), .tensors = std::move(files->tensors)};
}

}  // namespace tidegate
