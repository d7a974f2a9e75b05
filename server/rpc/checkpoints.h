#pragma once

#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <functional>
#include <mutex>
#include <thread>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/metrics/metrics.h"
#include "server/rpc/serving_loop.h"
#include "server/store/store.h"

namespace tidegate {

// Puts the streams that have changed into the store now and then, so that the journal stays short, and looks
// after the disk's free space. A thread of its own asks the loops for a few streams at a time, between their
// batches, and writes them; nothing pauses. Another one looks at the disk, also while that goes on. Both go
// by a clock that is never set back.
class Checkpoints {
 public:
  // All must outlive it. Every loop's shard writes to a journal of `store`. interval: between two
  // checkpoints, at most; a new one begins also when what was journalled since would take too long to replay.
  // failed: see ShardJournal.
  Checkpoints(Store& store, ServingGroup& group, Metrics& metrics, absl::Duration interval,
              std::function<void(const absl::Status&)> failed);
  ~Checkpoints();  // Stop

  // Begins with the next checkpoint.
  void Start();
  // No checkpoint begins any more; waits for one that is under way.
  void Stop();

  // One checkpoint, by the calling thread, once the loops' threads have ended.
  absl::Status MakeLast();

 private:
  // Calls `work` with loop `index` where its shard may be used, and waits for it.
  void OnLoop(std::size_t index, const std::function<void(ServingLoop&)>& work);
  using Clock = std::chrono::steady_clock;
  // False: it is to stop.
  bool Wait();
  void Run();
  void WatchDisk();
  bool IsDue(Clock::time_point begun);
  void LookAtDisk();
  absl::Status Make();
  absl::Status PutDeleted(std::size_t loop);
  absl::Status PutStreams(std::size_t loop);
  double BusySeconds();

  Store& store_;
  ServingGroup& group_;
  Metrics& metrics_;
  const absl::Duration interval_;
  const std::function<void(const absl::Status&)> failed_;
  StateBatch batch_;
  double busy_before_ = 0;  // at the last checkpoint
  bool space_is_low_ = false;
  bool loops_ended_ = false;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stopping_ = false;  // guarded by mutex_
  std::thread thread_, disk_;
};

}  // namespace tidegate
