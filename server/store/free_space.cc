#include "server/store/free_space.h"

#include <chrono>

namespace tidegate {

bool FreeSpace::IsLow() {
  const std::int64_t now_ns = std::chrono::duration_cast<std::chrono::nanoseconds>(
                                  std::chrono::steady_clock::now().time_since_epoch())
                                  .count();
  std::int64_t asked_ns = asked_ns_.load(std::memory_order_relaxed);
  if (now_ns - asked_ns >= 1'000'000'000 && asked_ns_.compare_exchange_strong(asked_ns, now_ns)) {
    std::uint64_t free_bytes = 0;
    const rocksdb::IOStatus status = files_->GetFreeSpace(folder_, {}, &free_bytes, nullptr);
    low_.store(status.ok() && free_bytes < reserve_bytes_, std::memory_order_relaxed);
  }
  return low_.load(std::memory_order_relaxed);
}

}  // namespace tidegate
