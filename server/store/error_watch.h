#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "rocksdb/listener.h"

namespace tidegate {

// Passes the first error of RocksDB's background work on, by a thread of its own: RocksDB reports it while
// others may wait for it. Destroy it after the database.
class ErrorWatch {
 public:
  ErrorWatch();
  ~ErrorWatch();

  std::shared_ptr<rocksdb::EventListener> listener();

  // `failed` is called once, also if the error came before; or never.
  void Start(std::function<void(const absl::Status&)> failed);
  // It is not called any more.
  void Stop();

 private:
  class Listener;
  struct Shared {
    std::mutex mutex;
    std::condition_variable changed;  // what follows
    absl::Status error ABSL_GUARDED_BY(mutex);
    bool stopping ABSL_GUARDED_BY(mutex) = false;
  };
  std::shared_ptr<Shared> shared_;
  std::thread thread_;
};

}  // namespace tidegate
