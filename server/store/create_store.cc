#include "server/store/create_store.h"

#include <random>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "server/store/files.h"
#include "server/store/journal_end.h"
#include "server/store/meta.h"

namespace tidegate {
namespace {

std::string NewStoreId() {
  std::random_device random;
  std::string id;
  for (int i = 0; i < 4; ++i) absl::StrAppendFormat(&id, "%08x", static_cast<std::uint32_t>(random()));
  return id;
}

absl::Status FillNew(const StoreOptions& options, const StoreFiles& files) {
  Database database;
  const rocksdb::Status opened =
      OpenDatabase(options, files, files.new_database, OpenMode::kCreate, nullptr, database);
  if (!opened.ok()) return StatusOf(opened, absl::StrCat("making ", files.new_database));
  rocksdb::WriteBatch batch;
  PutFormat(database, NewStoreId(), batch);
  rocksdb::WriteOptions write;
  write.sync = true;
  return StatusOf(database.db->Write(write, &batch), absl::StrCat("writing ", files.new_database));
}

}  // namespace

absl::Status PrepareFolder(const StoreFiles& files) {
  if (files.system->FileExists(absl::StrCat(files.folder, "/CURRENT"), {}, nullptr).ok()) {
    return absl::FailedPreconditionError(
        absl::StrCat(files.folder, " is a RocksDB database of something else: name another folder"));
  }
  return StatusOf(files.system->CreateDirIfMissing(files.folder, {}, nullptr),
                  absl::StrCat("making the folder ", files.folder));
}

absl::Status CreateStore(const StoreOptions& options, const StoreFiles& files, const std::string& boot_id) {
  if (absl::Status s = RemoveFolder(*files.system, files.new_database); !s.ok()) return s;
  if (absl::Status s = FillNew(options, files); !s.ok()) return s;
  if (absl::Status s = JournalEnd::Create(*files.system, files.new_database, {.boot_id = boot_id}); !s.ok()) {
    return s;
  }
  if (absl::Status s = SyncFolder(*files.system, files.new_database); !s.ok()) return s;
  const rocksdb::IOStatus renamed = files.system->RenameFile(files.new_database, files.database, {}, nullptr);
  if (!renamed.ok()) return StatusOf(renamed, absl::StrCat("renaming ", files.new_database));
  if (absl::Status s = SyncFolder(*files.system, files.folder); !s.ok()) return s;
  const std::string parent = files.folder.substr(0, files.folder.find_last_not_of('/') + 1);
  const std::size_t slash = parent.rfind('/');
  return SyncFolder(*files.system, slash == std::string::npos ? "."
                                   : slash == 0               ? "/"
                                                              : parent.substr(0, slash));
}

}  // namespace tidegate
