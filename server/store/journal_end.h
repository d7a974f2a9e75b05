#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "rocksdb/file_system.h"

namespace tidegate {

// A small file beside the database that says how far the journal goes. The database cannot know: a log that
// was cut off or damaged looks as if a power cut had torn its end, and RocksDB then goes on without the rest.
//
// It is written after each commit but never waited for, so it lags behind after a power cut; what it says has
// been true once. `synced` groups must be there whatever happened; `written` ones unless the machine was
// restarted since. `sequence` says the same of the database's writes of
// any kind, which RocksDB numbers: less than it means that its manifest has lost its end. Two slots in
// different sectors are written in turns, so one is whole whenever the power fails.
class JournalEnd {
 public:
  struct Mark {
    std::uint64_t written = 0;  // positions
    std::uint64_t synced = 0;
    std::uint64_t sequence = 0;  // number of a write of the database's that is synced
    std::string boot_id = {};    // of the machine when it was written
  };

  // Makes the file and syncs it; its folder entry is the caller's to sync.
  static absl::Status Create(rocksdb::FileSystem& files, const std::string& folder, const Mark& mark);

  // NotFound: no such file. FailedPrecondition: of another format version, or not this file. DataLoss:
  // damaged.
  static absl::StatusOr<std::unique_ptr<JournalEnd>> Open(rocksdb::FileSystem& files,
                                                          const std::string& folder);

  // As it was when opened.
  const Mark& found() const { return found_; }

  // Not thread-safe.
  absl::Status Write(const Mark& mark, bool sync = false);

 private:
  JournalEnd() = default;

  std::unique_ptr<rocksdb::FSRandomRWFile> file_;
  Mark found_;
  std::uint64_t serial_ = 0;  // of the last one written
};

}  // namespace tidegate
