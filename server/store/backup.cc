#include "server/store/backup.h"

#include <atomic>
#include <limits>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "rocksdb/utilities/checkpoint.h"
#include "server/store/create_store.h"
#include "server/store/files.h"
#include "server/store/journal.h"
#include "server/store/journal_end.h"
#include "server/store/open_store.h"
#include "server/store/segments.h"
#include "server/store/store_format.h"

namespace tidegate {
namespace {

StoreOptions In(const StoreOptions& options, const std::string& folder) {
  StoreOptions there = options;
  there.folder = folder;
  return there;
}

// Gives a complete store its name.
absl::Status Publish(const StoreFiles& files) {
  if (absl::Status s = SyncFolder(*files.system, files.new_database); !s.ok()) return s;
  const rocksdb::IOStatus renamed = files.system->RenameFile(files.new_database, files.database, {}, nullptr);
  if (!renamed.ok()) return StatusOf(renamed, absl::StrCat("renaming ", files.new_database));
  return SyncFolder(*files.system, files.folder);
}

// The journal files up to group `last`; of the last one what there is of it.
absl::Status CopySegments(const StoreOptions& options, const StoreFiles& to, std::uint64_t last,
                          const std::atomic<bool>& stop) {
  const StoreFiles from(options);
  const auto segments = ListSegments(*from.system, from.database);
  if (!segments.ok()) return segments.status();
  for (const Segment& segment : *segments) {
    if (segment.first > last) break;
    if (stop) return absl::CancelledError("the backup was given up");
    const std::string copy = absl::StrCat(to.new_database, "/", SegmentName(segment.first));
    if (absl::Status s = CopyFile(*from.system, segment.path, copy); !s.ok()) return s;
  }
  return absl::OkStatus();
}

// The journal is copied, and may be all that there ever was: a backup is not to fill the disk that the server
// writes to.
absl::Status CheckRoom(const StoreOptions& options, const StoreFiles& to) {
  const StoreFiles from(options);
  const auto segments = ListSegments(*from.system, from.database);
  if (!segments.ok()) return segments.status();
  std::uint64_t bytes = 0, free_bytes = 0;
  for (const Segment& segment : *segments) bytes += segment.bytes;
  if (!from.system->GetFreeSpace(to.folder, {}, &free_bytes, nullptr).ok()) return absl::OkStatus();
  if (free_bytes >= bytes + options.reserve_bytes) return absl::OkStatus();
  return absl::ResourceExhaustedError(
      absl::StrCat("the disk of ", to.folder, " has ", free_bytes, " bytes left; the backup copies ", bytes,
                   " of the journal, and ", options.reserve_bytes, " are kept in reserve: make room"));
}

absl::Status Write(const Database& database, const StoreOptions& options, Journal& journal,
                   const StoreFiles& files, const std::atomic<bool>& stop) {
  if (absl::Status s = PrepareFolder(files); !s.ok()) return s;
  if (absl::Status s = CheckRoom(options, files); !s.ok()) return s;
  rocksdb::Checkpoint* raw = nullptr;
  rocksdb::Status made = rocksdb::Checkpoint::Create(database.db.get(), &raw);
  const std::unique_ptr<rocksdb::Checkpoint> checkpoint(raw);
  // Never flushes: the caller has, after the journal; states that were written since are in the journal.
  constexpr auto kNeverFlush = std::numeric_limits<std::uint64_t>::max();
  if (made.ok()) made = checkpoint->CreateCheckpoint(files.new_database, kNeverFlush);
  if (!made.ok()) return StatusOf(made, absl::StrCat("writing the backup ", files.folder));
  // What the copied states are of is in the journal by now.
  const std::uint64_t last = journal.last();
  if (absl::Status s = journal.WaitFor(last); !s.ok()) return s;
  if (absl::Status s = CopySegments(options, files, last, stop); !s.ok()) return s;
  const JournalEnd::Mark mark{.written = last, .synced = last, .boot_id = BootId(options)};
  if (absl::Status s = JournalEnd::Create(*files.system, files.new_database, mark); !s.ok()) return s;
  return Publish(files);
}

}  // namespace

absl::Status WriteBackup(const Database& database, const StoreOptions& options, Journal& journal,
                         const std::string& folder, const std::atomic<bool>& stop) {
  const StoreFiles files(In(options, folder));
  if (files.system->FileExists(folder, {}, nullptr).ok()) {
    return absl::AlreadyExistsError(
        absl::StrCat(folder, " is there already: name a new folder for the backup"));
  }
  absl::Status written = Write(database, options, journal, files, stop);
  if (!written.ok()) {  // what there is of it would only take room
    for (const std::string& part : {files.new_database, files.database, folder}) {
      RemoveFolder(*files.system, part).IgnoreError();
    }
  }
  return written;
}

absl::Status CopyStore(rocksdb::FileSystem& files, const std::string& from, const std::string& to) {
  StoreOptions options;
  options.folder = to;
  const StoreFiles target(options);
  if (absl::Status s = PrepareFolder(target); !s.ok()) return s;
  const std::string source = absl::StrCat(from, "/", store_format::kDatabase);
  if (absl::Status s = RemoveFolder(files, target.new_database); !s.ok()) return s;
  rocksdb::IOStatus status = files.CreateDir(target.new_database, {}, nullptr);
  std::vector<std::string> names;
  if (status.ok()) status = files.GetChildren(source, {}, &names, nullptr);
  if (!status.ok()) return StatusOf(status, absl::StrCat("copying ", source));
  for (const std::string& name : names) {
    if (name == "." || name == ".." || name == "LOCK") continue;
    if (absl::Status s =
            CopyFile(files, absl::StrCat(source, "/", name), absl::StrCat(target.new_database, "/", name));
        !s.ok()) {
      return s;
    }
  }
  return Publish(target);
}

}  // namespace tidegate
