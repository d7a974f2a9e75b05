#include "server/rpc/admin_thread.h"

#include <utility>

#include "server/rpc/status.h"

namespace tidegate {

AdminThread::AdminThread() : thread_([this] { Run(); }) {}

AdminThread::~AdminThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  asked_.notify_one();
  thread_.join();
}

void AdminThread::Drain() {
  const std::lock_guard lock(mutex_);
  draining_ = true;
}

void AdminThread::Ask(Work work, Done done) {
  {
    const std::lock_guard lock(mutex_);
    jobs_.push_back({std::move(work), std::move(done)});
  }
  asked_.notify_one();
}

void AdminThread::Run() {
  std::unique_lock lock(mutex_);
  while (true) {
    asked_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
    if (jobs_.empty()) return;
    Job job = std::move(jobs_.front());
    jobs_.pop_front();
    const bool draining = draining_;
    lock.unlock();
    job.done(draining ? DrainingStatus() : job.work());
    lock.lock();
  }
}

}  // namespace tidegate
