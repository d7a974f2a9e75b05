#pragma once

#include <chrono>
#include <cstdint>

#include "server/metrics/instruments.h"

namespace tidegate {

// What is counted of the store; all 0 without one. Each has one writer at a time, any thread may read.
struct StoreMetrics {
  StoreMetrics();
  Counter journal_bytes;         // of groups
  Counter journal_groups;        //
  Histogram commit_seconds;      // of each commit of the journal, its sync included
  Histogram checkpoint_seconds;  // from its beginning until the journal is shorter
  Gauge checkpoint_begun;        // milliseconds of the steady clock when the last one began; 0: none
  Gauge replay_left;             // bytes of the journal, while streams are brought back

  void CheckpointBegins(std::chrono::steady_clock::time_point now) {
    checkpoint_begun.Set(Milliseconds(now));
  }
  double CheckpointAge() const {  // seconds, now
    const std::int64_t begun = checkpoint_begun.value();
    return begun == 0 ? 0
                      : 1e-3 * static_cast<double>(Milliseconds(std::chrono::steady_clock::now()) - begun);
  }

 private:
  static std::int64_t Milliseconds(std::chrono::steady_clock::time_point time) {
    return std::chrono::duration_cast<std::chrono::milliseconds>(time.time_since_epoch()).count();
  }
};

}  // namespace tidegate
