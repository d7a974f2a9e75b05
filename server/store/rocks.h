#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "rocksdb/db.h"
#include "rocksdb/env.h"
#include "rocksdb/file_system.h"
#include "server/store/store_options.h"

namespace tidegate {

// The database below the store: how RocksDB is set up, and what its errors mean.

inline absl::string_view View(const rocksdb::Slice& slice) { return {slice.data(), slice.size()}; }
inline rocksdb::Slice Slice(absl::string_view text) { return {text.data(), text.size()}; }

// "TASK: what RocksDB said", by kind: damaged is DataLoss, with what to do; failing disks are Unavailable.
absl::Status StatusOf(const rocksdb::Status& status, absl::string_view task);

// Where the store's files are, and RocksDB's view of it.
struct StoreFiles {
  explicit StoreFiles(const StoreOptions& options);
  std::shared_ptr<rocksdb::FileSystem> system;
  std::unique_ptr<rocksdb::Env> env;
  std::string folder;        // as the user says
  std::string database;      // within it
  std::string new_database;  // within it
};

// An open database and its column families.
struct Database {
  enum Family { kDefault, kState, kMeta, kFamilies };
  Database() = default;
  ~Database() { CloseQuietly(); }
  Database(const Database&) = delete;
  Database& operator=(const Database&) = delete;

  rocksdb::ColumnFamilyHandle* state() const { return families[kState]; }
  rocksdb::ColumnFamilyHandle* meta() const { return families[kMeta]; }

  void CloseQuietly();

  // Deletions of streams up to here are forgotten when their files are rewritten.
  std::shared_ptr<std::atomic<std::uint64_t>> checkpoint = std::make_shared<std::atomic<std::uint64_t>>(0);
  std::unique_ptr<rocksdb::DB> db;
  std::array<rocksdb::ColumnFamilyHandle*, kFamilies> families{};
};

enum class OpenMode {
  kCreate,    // that is not there
  kStrict,    // refuses a write-ahead log that does not end where a record ends
  kReadOnly,  // up to the first damage of the write-ahead log; changes no file
  kPrefix,    // the same, and forgets what is behind it
};

// listener: may be null.
rocksdb::Status OpenDatabase(const StoreOptions& options, const StoreFiles& files, const std::string& path,
                             OpenMode mode, std::shared_ptr<rocksdb::EventListener> listener,
                             Database& database);

// Names of the column families of a store, in the order of Database::Family.
const std::vector<std::string>& FamilyNames();

}  // namespace tidegate
