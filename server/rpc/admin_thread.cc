#include "server/rpc/admin_thread.h"

#include <exception>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/rpc/status.h"

namespace tidegate {
namespace {

// A model that takes more memory than there is ends what asks for it, and not the server.
absl::Status Guarded(const AdminThread::Work& work) try {
  return work();
} catch (const std::exception& error) {
  return absl::InternalError(absl::StrCat("it could not be done: ", error.what()));
}

}  // namespace

AdminThread::AdminThread() : thread_([this] { Run(); }) {}

AdminThread::~AdminThread() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  asked_.notify_one();
  thread_.join();
}

void AdminThread::Drain() { draining_ = true; }

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
    lock.unlock();
    job.done(draining_ ? DrainingStatus() : Guarded(job.work));
    lock.lock();
  }
}

}  // namespace tidegate
