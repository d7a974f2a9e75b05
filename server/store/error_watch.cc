#include "server/store/error_watch.h"

#include <utility>

#include "server/store/rocks.h"

namespace tidegate {

class ErrorWatch::Listener final : public rocksdb::EventListener {
 public:
  explicit Listener(std::shared_ptr<Shared> shared) : shared_(std::move(shared)) {}

  void OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* error) override {
    const std::lock_guard lock(shared_->mutex);
    if (shared_->error.ok()) shared_->error = StatusOf(*error, "writing the store's files");
    shared_->changed.notify_all();
  }
  void OnErrorRecoveryBegin(rocksdb::BackgroundErrorReason, rocksdb::Status, bool* recover) override {
    *recover = false;
  }

 private:
  std::shared_ptr<Shared> shared_;
};

ErrorWatch::ErrorWatch() : shared_(std::make_shared<Shared>()) {}
ErrorWatch::~ErrorWatch() { Stop(); }

std::shared_ptr<rocksdb::EventListener> ErrorWatch::listener() { return std::make_shared<Listener>(shared_); }

void ErrorWatch::Start(std::function<void(const absl::Status&)> failed) {
  thread_ = std::thread([shared = shared_, failed = std::move(failed)] {
    absl::Status error;
    {
      const auto something = [&] { return shared->stopping || !shared->error.ok(); };
      std::unique_lock lock(shared->mutex);
      shared->changed.wait(lock, something);
      if (shared->stopping) return;
      error = shared->error;
    }
    failed(error);
  });
}

void ErrorWatch::Stop() {
  {
    const std::lock_guard lock(shared_->mutex);
    shared_->stopping = true;
    shared_->changed.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

}  // namespace tidegate
