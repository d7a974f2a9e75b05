#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "rocksdb/file_system.h"

namespace tidegate {

// Appends journal groups to files of about `segment_bytes`. Files of an earlier opening are never appended
// to.
//
// A sync is nearly twice as quick where the file does not grow, as its length need not be synced too. So
// behind a small group that makes the file grow, `room_bytes` of zeros are written with it, and the next
// groups go there. Zeros at the end of a file mean nothing to the reader.
class SegmentWriter {
 public:
  // room_bytes: 0 where nobody waits for a sync.
  SegmentWriter(std::shared_ptr<rocksdb::FileSystem> files, std::string folder, std::size_t segment_bytes,
                std::size_t room_bytes)
      : files_(std::move(files)),
        folder_(std::move(folder)),
        segment_bytes_(segment_bytes),
        room_bytes_(room_bytes) {}

  // Hands a sealed group to the operating system. One call at a time; Sync may run meanwhile.
  absl::Status Append(std::uint64_t position, absl::string_view group);

  // Makes all groups durable whose Append has returned. Thread-safe. After an error it does nothing but
  // return it: what a failed sync has left of the data, no second one can tell.
  absl::Status Sync();

 private:
  using File = std::shared_ptr<rocksdb::FSRandomRWFile>;
  absl::Status Begin(std::uint64_t position);
  absl::string_view WithRoom(absl::string_view group);
  absl::Status SyncFiles(const std::vector<File>& open, bool sync_folder);

  const std::shared_ptr<rocksdb::FileSystem> files_;
  const std::string folder_;
  const std::size_t segment_bytes_;
  const std::size_t room_bytes_;

  File current_;                // of Append
  std::size_t used_bytes_ = 0;  // of it, by groups
  std::size_t file_bytes_ = 0;  // with the room behind them
  std::string padded_;

  std::mutex sync_mutex_;  // one sync at a time
  absl::Status failed_ ABSL_GUARDED_BY(sync_mutex_);

  std::mutex mutex_ ABSL_ACQUIRED_AFTER(sync_mutex_);
  std::vector<File> unsynced_ ABSL_GUARDED_BY(mutex_);  // the last one is current_
  bool new_names_ ABSL_GUARDED_BY(mutex_) = false;      // in the folder, not yet synced
};

}  // namespace tidegate
