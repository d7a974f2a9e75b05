#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "rocksdb/listener.h"
#include "server/store/journal_end.h"
#include "server/store/meta.h"
#include "server/store/rocks.h"
#include "server/store/segments.h"
#include "server/store/store_options.h"

namespace tidegate {

// Keeps other processes out of a store's folder.
class FolderLock {
 public:
  // Unavailable: another process has it.
  static absl::StatusOr<std::unique_ptr<FolderLock>> Take(std::shared_ptr<rocksdb::FileSystem> files,
                                                          const std::string& folder);
  ~FolderLock();

 private:
  FolderLock(std::shared_ptr<rocksdb::FileSystem> files, rocksdb::FileLock* lock)
      : files_(std::move(files)), lock_(lock) {}
  std::shared_ptr<rocksdb::FileSystem> files_;
  rocksdb::FileLock* lock_;
};

// A store as found on disk, recovered as far as RocksDB does that.
struct OpenedStore {
  std::unique_ptr<FolderLock> lock;
  std::unique_ptr<Database> database;
  std::unique_ptr<JournalEnd> end;
  Meta meta;
  JournalScan journal;
  std::uint64_t journal_end = 0;  // position of the last group, at least that of the checkpoint
  bool created = false;
  std::string lost;  // what accept_lost_journal let go
};

// Opens the store, makes it if it is not there, and refuses it before anything is changed if it cannot be
// used. A journal that ends too early is damaged, unless a power cut may have torn its end. Errors as those
// of Store::Open.
absl::StatusOr<OpenedStore> OpenStore(const StoreOptions& options, const StoreFiles& files,
                                      const std::string& boot_id,
                                      const std::shared_ptr<rocksdb::EventListener>& listener);

// The same for readers: changes no file. NotFound: there is no store.
absl::StatusOr<OpenedStore> OpenStoreReadOnly(const StoreOptions& options, const StoreFiles& files,
                                              const std::string& boot_id);

// Of the machine as it runs; "unknown" where it does not say.
std::string BootId(const StoreOptions& options);

}  // namespace tidegate
