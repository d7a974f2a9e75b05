#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <shared_mutex>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "rocksdb/write_batch.h"
#include "server/store/journal.h"
#include "server/store/rocks.h"
#include "server/store/store_options.h"

namespace tidegate {

// Writes states into the database's memory and makes them durable, each time after the journal's groups that
// they contain. A thread of its own does that once there are many of them, and syncs the journal every
// second. Thread-safe.
class StateWriter {
 public:
  // All must outlive it. Errors of the thread fail the journal.
  StateWriter(const StoreOptions& options, const Database& database, Journal& journal);
  ~StateWriter();

  // Requires that the groups which the states contain are written. Waits if the buffer is full twice over.
  absl::Status Write(rocksdb::WriteBatch& batch);

  // Waits until the buffer is not full once, so that the next Write need not wait.
  void WaitForRoom();

  // Makes durable what is written: the journal, then states and meta in one step.
  absl::Status Flush();

 private:
  void Run();
  absl::Status BeginFlush(std::uint64_t& sequence);
  absl::Status WaitForFlush();

  const std::size_t buffer_bytes_;
  const bool sync_often_;
  const Database& database_;
  Journal& journal_;

  std::mutex flush_mutex_;          // one flush at a time
  std::shared_mutex states_mutex_;  // shared: states are being written; not while a flush takes them
  std::mutex mutex_;
  std::condition_variable changed_;                // what follows
  std::size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // written since a flush began
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  bool over_ ABSL_GUARDED_BY(mutex_) = false;  // an error: nothing is flushed any more
  std::thread thread_;
};

}  // namespace tidegate
