#pragma once

#include <atomic>
#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>

#include "absl/status/status.h"

namespace tidegate {

// Does what administrators ask for, one thing after the other, on a thread of its own, so that no reading
// waits for a file.
class AdminThread {
 public:
  using Work = std::function<absl::Status()>;
  using Done = std::function<void(absl::Status)>;

  AdminThread();
  ~AdminThread();  // waits for what has been asked for

  // What has been asked for and not begun, and what is asked for from now on, is not done, but answered with
  // DrainingStatus: it may take long. Safe from any thread.
  void Drain();
  // What is being done is to end soon. Safe from any thread.
  bool draining() const { return draining_; }

  // Calls `work`, and then `done` with what it returned, both in the thread. Safe from any thread.
  void Ask(Work work, Done done);

 private:
  struct Job {
    Work work;
    Done done;
  };
  void Run();

  std::atomic<bool> draining_{false};
  std::mutex mutex_;  // guards what follows
  std::condition_variable asked_;
  std::deque<Job> jobs_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace tidegate
