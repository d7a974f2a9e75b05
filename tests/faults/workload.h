#pragma once

#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "server/store/store.h"
#include "tests/faults/disk.h"
#include "tests/faults/story.h"

namespace tidegate {

// Does to a store what servers do, at random: groups of two submitters, states put and streams deleted,
// checkpoints with groups in their midst, models. Notes on the disk what is promised, as it is promised:
// the position of each group; kModelNote for a model.
class Workload {
 public:
  static constexpr std::uint64_t kModelNote = 1;  // no position is that low

  Workload(Store& store, Story& story, Disk& disk, std::uint64_t seed);
  ~Workload();

  // The first error of the store; the rest is not done then.
  absl::Status Run(std::size_t actions);
  absl::Status Checkpoint();
  absl::Status Submit();
  // Waits for what was submitted.
  absl::Status Settle();

  std::size_t promised() const;  // groups
  // Waits until both submitters were told of an error; how many of them, after ten seconds.
  std::size_t WaitForErrors() const;

 private:
  void Promise(std::uint64_t position);
  absl::Status Act();
  absl::Status PutStates(bool all);
  absl::Status AddModel();
  EntryKind AnyKind(std::size_t stream);
  std::size_t Below(std::size_t n) { return static_cast<std::size_t>(random_() % n); }

  Store& store_;
  Story& story_;
  Disk& disk_;
  std::mt19937_64 random_;
  std::vector<std::unique_ptr<Store::Submitter>> submitters_;
  GroupWriter group_;
  std::size_t groups_ = 0;  // submitted
  StateBatch batch_;
  std::vector<std::uint64_t> put_;  // of each stream, the version that was last put

  mutable std::mutex mutex_;  // guards what follows
  mutable std::condition_variable changed_;
  std::uint64_t through_[2] = {};
  absl::Status error_;
  std::size_t errors_ = 0;
  std::size_t promised_ = 0;
  std::vector<std::uint64_t> waiting_[2];  // positions
};

}  // namespace tidegate
