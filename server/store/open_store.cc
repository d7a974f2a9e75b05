#include "server/store/open_store.h"

#include <algorithm>
#include <fstream>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/store/broken.h"
#include "server/store/bytes.h"
#include "server/store/create_store.h"
#include "server/store/manifest.h"
#include "server/store/store_format.h"

namespace tidegate {
namespace {

constexpr char kRepair[] =
    "restore a backup, or start with --accept-lost-journal to go on without what is lost";

bool Exists(const StoreFiles& files, const std::string& path) {
  return files.system->FileExists(path, {}, nullptr).ok();
}

// That the folder holds a store, before anything of it is opened.
absl::Status CheckFolder(const StoreFiles& files) {
  if (!Exists(files, absl::StrCat(files.database, "/CURRENT"))) {
    return absl::DataLossError(absl::StrCat(
        files.database, " has no file CURRENT: it is damaged or not a store's; restore a backup"));
  }
  if (absl::Status s = CutTornManifest(*files.system, files.database); !s.ok()) return s;
  std::vector<std::string> families;
  rocksdb::DBOptions options;
  options.env = files.env.get();
  const rocksdb::Status status = rocksdb::DB::ListColumnFamilies(options, files.database, &families);
  if (!status.ok()) return StatusOf(status, absl::StrCat("reading ", files.database));
  if (families == FamilyNames()) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat(files.database, " is a RocksDB database of something else (", families.size(),
                   " column families, the last one '", families.back(), "'): name another folder"));
}

absl::StatusOr<std::unique_ptr<JournalEnd>> OpenEnd(const StoreFiles& files) {
  auto end = JournalEnd::Open(*files.system, files.database);
  if (!absl::IsNotFound(end.status())) return end;
  return absl::FailedPreconditionError(
      absl::StrCat(end.status().message(), " is missing: ", files.database,
                   " is another RocksDB database, or damaged; name another folder or restore a backup"));
}

// Reads what the database says of itself and where its journal ends.
absl::Status ReadEnds(OpenedStore& store, const StoreFiles& files) {
  auto meta = ReadMeta(*store.database);
  if (!meta.ok()) {
    return absl::Status(meta.status().code(),
                        absl::StrCat(files.database, ": ", meta.status().message(), "; restore a backup"));
  }
  store.meta = *std::move(meta);
  if (store.meta.format != store_format::kVersion) {
    return absl::FailedPreconditionError(absl::StrCat(files.database, " is of format ", store.meta.format,
                                                      "; this server reads format ", store_format::kVersion,
                                                      ": use the version of Tidegate that wrote it"));
  }
  store.database->checkpoint->store(store.meta.checkpoint);
  const auto segments = ListSegments(*files.system, files.database);
  if (!segments.ok()) return segments.status();
  const auto pass = [](GroupReader&) { return absl::OkStatus(); };
  absl::Status read = ReadSegments(*files.system, *segments, store.meta.checkpoint, pass, store.journal);
  store.journal_end = std::max(store.journal.end, store.meta.checkpoint);
  return read;
}

// That nothing is missing that must be there.
absl::Status CheckEnd(const OpenedStore& store, const StoreFiles& files, const std::string& boot_id) {
  if (Broken(Break::kIgnoreJournalEnd)) return absl::OkStatus();
  const JournalEnd::Mark& mark = store.end->found();
  const bool same_boot = boot_id == mark.boot_id && boot_id != "unknown";
  const std::uint64_t expected = same_boot ? std::max(mark.written, mark.synced) : mark.synced;
  if (store.journal_end < expected) {
    return absl::DataLossError(absl::StrCat(
        files.database, ": the journal can be read up to group ", store.journal_end, ", but was ",
        same_boot ? "written" : "synced", " up to group ", expected, ": ",
        store.journal.damage.empty() ? "files of it are missing or cut off" : store.journal.damage, "; ",
        kRepair));
  }
  const std::uint64_t sequence = store.database->db->GetLatestSequenceNumber();
  if (sequence >= mark.sequence) return absl::OkStatus();
  return absl::DataLossError(
      absl::StrCat(files.database, ": the last write that can be read is number ", sequence, ", but number ",
                   mark.sequence,
                   " was synced: its file MANIFEST-* or its files *.log are damaged or "
                   "cut off; ",
                   kRepair));
}

absl::Status OpenAs(OpenMode mode, OpenedStore& store, const StoreOptions& options, const StoreFiles& files,
                    const std::shared_ptr<rocksdb::EventListener>& listener, rocksdb::Status& raw) {
  store.database = std::make_unique<Database>();
  raw = OpenDatabase(options, files, files.database, mode, listener, *store.database);
  if (!raw.ok()) return StatusOf(raw, absl::StrCat("opening ", files.database));
  return ReadEnds(store, files);
}

// Whether RocksDB's error may come from an end of its log that a power cut tore.
bool MayBeTornEnd(const rocksdb::Status& status) { return status.IsCorruption(); }

absl::Status OpenWithTornEnd(OpenedStore& store, const StoreOptions& options, const StoreFiles& files,
                             const std::string& boot_id,
                             const std::shared_ptr<rocksdb::EventListener>& listener) {
  rocksdb::Status raw;
  if (absl::Status s = OpenAs(OpenMode::kReadOnly, store, options, files, nullptr, raw); !s.ok()) return s;
  if (absl::Status s = CheckEnd(store, files, boot_id); !s.ok()) {
    if (!options.accept_lost_journal) return s;
    store.lost = std::string(s.message());
  }
  store.database.reset();
  return OpenAs(OpenMode::kPrefix, store, options, files, listener, raw);
}

// Opens a store that is there.
absl::Status OpenFound(OpenedStore& store, const StoreOptions& options, const StoreFiles& files,
                       const std::string& boot_id, const std::shared_ptr<rocksdb::EventListener>& listener) {
  if (absl::Status s = CheckFolder(files); !s.ok()) return s;
  auto end = OpenEnd(files);
  if (!end.ok()) return end.status();
  store.end = *std::move(end);
  rocksdb::Status raw;
  absl::Status status = OpenAs(OpenMode::kStrict, store, options, files, listener, raw);
  if (MayBeTornEnd(raw)) return OpenWithTornEnd(store, options, files, boot_id, listener);
  if (!status.ok()) return status;
  status = CheckEnd(store, files, boot_id);
  if (status.ok() || !options.accept_lost_journal) return status;
  store.lost = std::string(status.message());
  return absl::OkStatus();
}

// Drops what a power cut tore, and makes sure of the rest: states that follow from it may be durable soon.
absl::Status SettleJournal(const OpenedStore& store, const StoreFiles& files) {
  auto segments = ListSegments(*files.system, files.database);
  if (!segments.ok()) return segments.status();
  if (!store.journal.damage.empty()) {
    if (absl::Status s = CutSegments(*files.system, files.database, *segments, store.journal); !s.ok())
      return s;
    segments = ListSegments(*files.system, files.database);
    if (!segments.ok()) return segments.status();
  }
  if (store.journal_end <= store.end->found().synced) return absl::OkStatus();
  return SyncSegments(*files.system, files.database, *segments);
}

}  // namespace

absl::StatusOr<std::unique_ptr<FolderLock>> FolderLock::Take(std::shared_ptr<rocksdb::FileSystem> files,
                                                             const std::string& folder) {
  rocksdb::FileLock* lock = nullptr;
  const rocksdb::IOStatus status = files->LockFile(absl::StrCat(folder, "/LOCK"), {}, &lock, nullptr);
  if (!status.ok()) {
    return absl::UnavailableError(absl::StrCat(folder, " is in use by another process, or cannot be locked (",
                                               status.ToString(), "): stop it, or name another folder"));
  }
  return std::unique_ptr<FolderLock>(new FolderLock(std::move(files), lock));
}

FolderLock::~FolderLock() { files_->UnlockFile(lock_, {}, nullptr).PermitUncheckedError(); }

namespace {

// RocksDB aborts where it cannot write what it opens with.
absl::Status CheckRoom(const StoreFiles& files) {
  constexpr std::uint64_t kLeastBytes = std::uint64_t{16} << 20;
  std::uint64_t free_bytes = 0;
  if (!files.system->GetFreeSpace(files.folder, {}, &free_bytes, nullptr).ok() || free_bytes >= kLeastBytes)
    return absl::OkStatus();
  return absl::ResourceExhaustedError(absl::StrCat("the disk of ", files.folder, " has ", free_bytes,
                                                   " bytes left, a start takes ", kLeastBytes,
                                                   ": make room, old backups and kept journals first"));
}

}  // namespace

absl::StatusOr<OpenedStore> OpenStore(const StoreOptions& options, const StoreFiles& files,
                                      const std::string& boot_id,
                                      const std::shared_ptr<rocksdb::EventListener>& listener) {
  OpenedStore store;
  if (absl::Status s = PrepareFolder(files); !s.ok()) return s;
  auto lock = FolderLock::Take(files.system, files.folder);
  if (!lock.ok()) return lock.status();
  store.lock = *std::move(lock);
  if (absl::Status s = CheckRoom(files); !s.ok()) return s;
  if (!Exists(files, files.database)) {
    if (absl::Status s = CreateStore(options, files, boot_id); !s.ok()) return s;
    store.created = true;
  }
  if (absl::Status s = OpenFound(store, options, files, boot_id, listener); !s.ok()) return s;
  if (absl::Status s = SettleJournal(store, files); !s.ok()) return s;
  return store;
}

absl::StatusOr<OpenedStore> OpenStoreReadOnly(const StoreOptions& options, const StoreFiles& files,
                                              const std::string& boot_id) {
  OpenedStore store;
  if (!Exists(files, files.database)) {
    return absl::NotFoundError(absl::StrCat("there is no store in ", files.folder));
  }
  auto lock = FolderLock::Take(files.system, files.folder);
  if (!lock.ok()) return lock.status();
  store.lock = *std::move(lock);
  if (absl::Status s = CheckFolder(files); !s.ok()) return s;
  auto end = OpenEnd(files);
  if (!end.ok()) return end.status();
  store.end = *std::move(end);
  rocksdb::Status raw;
  if (absl::Status s = OpenAs(OpenMode::kReadOnly, store, options, files, nullptr, raw); !s.ok()) return s;
  if (absl::Status s = CheckEnd(store, files, boot_id); !s.ok()) return s;
  return store;
}

std::string BootId(const StoreOptions& options) {
  if (!options.boot_id.empty()) return options.boot_id;
  std::string id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  return id.empty() ? "unknown" : id;
}

}  // namespace tidegate
