#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>

#include "absl/container/flat_hash_set.h"
#include "absl/time/time.h"
#include "server/rpc/serving_loop.h"
#include "server/rpc/stream_keeper.h"

namespace tidegate {

// Forgets streams that nobody feeds any more: those whose last reading is older, by its own time, than a
// limit, and that took no reading since the sweep before, so that old readings that are being caught up on
// are safe. A thread of its own asks the loops for a few streams at a time, between their batches.
class Expiry {
 public:
  // after: the limit. keeper: null without a store. Both others must outlive it.
  Expiry(ServingGroup& group, StreamKeeper* keeper, absl::Duration after);
  ~Expiry();  // Stop

  // Sweeps four times within the limit, at most once a second and at least once an hour.
  void Start();
  void Stop();  // before the loops end

  // One sweep, until Stop; how many streams it has forgotten. Not while the thread sweeps.
  std::size_t Sweep(absl::Time now);

 private:
  void Run();
  std::size_t SweepMemory(std::int64_t before_ns);
  std::size_t SweepCold(std::int64_t before_ns);

  ServingGroup& group_;
  StreamKeeper* const keeper_;
  const absl::Duration after_;
  absl::flat_hash_set<std::size_t> seen_;  // by the sweep before, in the store: hashes of id and reading
  std::mutex mutex_;
  std::condition_variable changed_;    // waits by a clock that is never set back
  std::atomic<bool> stopping_{false};  // set with mutex_ held; ends a sweep too
  std::thread thread_;
};

}  // namespace tidegate
