#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

#include "rocksdb/file_system.h"

namespace tidegate {

// Whether a disk is nearly full. Thread-safe.
class FreeSpace {
 public:
  FreeSpace(std::shared_ptr<rocksdb::FileSystem> files, std::string folder, std::uint64_t reserve_bytes)
      : files_(std::move(files)), folder_(std::move(folder)), reserve_bytes_(reserve_bytes) {}

  // Less than the reserve is free to this user. Asks at most once a second; a disk that does not say is not
  // low.
  bool IsLow();

 private:
  const std::shared_ptr<rocksdb::FileSystem> files_;
  const std::string folder_;
  const std::uint64_t reserve_bytes_;
  std::atomic<std::int64_t> asked_ns_{-1'000'000'000};
  std::atomic<bool> low_{false};
};

}  // namespace tidegate
