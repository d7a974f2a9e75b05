#pragma once

#include <csignal>
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "clients/cli/learning_data.h"
#include "engine/tune/search.h"
#include "engine/tune/trial.h"

namespace tidegate {

// A search under way: threads that train candidates, and a folder from which it can go on. The folder has a
// line of JSON for each rung that was trained (trials.jsonl), and of each candidate its checkpoint and its
// model.
class TuneRun {
 public:
  struct Options {
    absl::Duration budget = absl::Minutes(10);
    absl::Duration latency_budget;  // of one reading alone, one thread; zero: none
    std::size_t threads = 1;
    std::filesystem::path folder;
  };
  struct Cost {
    double step_seconds = 0;  // of one reading alone, measured while other candidates were trained
    std::size_t parameters = 0;
  };
  // One rung of one trial, as it ended.
  struct Result {
    std::size_t trial = 0;  // from 0
    std::size_t rung = 0;
    double loss = 0;
    double elapsed = 0;  // seconds of the search
    std::size_t epochs = 0;
    bool refused = false;  // by the latency budget; nothing was trained
    std::string error{};   // why it could not be trained; empty: it was, or was refused
  };
  // Called after each rung, by one thread at a time.
  using Told = std::function<void(const Search& search, const Result& result)>;

  TuneRun(const LearningData& data, Options options, Told told);

  // Reads what an earlier run has left in the folder. NotFound: nothing. InvalidArgument: of other readings
  // or other flags, or damaged.
  absl::Status Resume();

  // Searches until the budget is spent or `stop` is set. Errors: the folder cannot be written, or no
  // candidate could be trained at all.
  absl::Status Run(const volatile std::sig_atomic_t& stop);

  double elapsed() const;  // seconds, with those of earlier runs
  const Search& search() const { return search_; }
  const std::vector<Result>& results() const { return results_; }
  Cost cost(std::size_t trial) const { return costs_[trial]; }  // of one that has a result

  // The best model of a trial so far.
  absl::StatusOr<TrainedModel> ModelOf(std::size_t trial) const;

 private:
  void Work(const volatile std::sig_atomic_t& stop);
  void JudgeLatency(std::vector<Search::Trial>& trials);
  bool IsTooSlow(const Cost& cost) const;
  absl::Status DoOrCatch(const Search::Task& task, const Candidate& candidate,
                         const volatile std::sig_atomic_t& stop);
  // Trains one rung; where it ends the search the error is kept.
  absl::Status Do(const Search::Task& task, const Candidate& candidate,
                  const volatile std::sig_atomic_t& stop);
  absl::StatusOr<Cost> CostOf(std::size_t trial, const Candidate& candidate);
  absl::Status Keep(const Search::Task& task, const Candidate& candidate, const Trained& trained);
  absl::Status Note(const Result& result, const Candidate& candidate);
  std::filesystem::path FileOf(std::size_t trial, const char* what) const;
  std::string Identity() const;

  const LearningData& data_;
  const Options options_;
  const Told told_;
  double before_ = 0;  // seconds of earlier runs
  absl::Time begin_ = absl::Now();
  absl::Mutex mutex_;
  Search search_;
  std::vector<Result> results_;
  std::vector<Cost> costs_;  // by trial
  absl::Status failed_;
};

}  // namespace tidegate
