#include "server/store/rocks.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "rocksdb/cache.h"
#include "rocksdb/compaction_filter.h"
#include "rocksdb/filter_policy.h"
#include "rocksdb/listener.h"
#include "rocksdb/options.h"
#include "rocksdb/rate_limiter.h"
#include "rocksdb/table.h"
#include "server/store/checked_tables.h"
#include "server/store/store_format.h"
#include "server/store/stored_state.h"

namespace tidegate {
namespace {

// Of tables, flushed ones first. At the disk's full speed the reads of streams that come back wait behind
// those that are merged, for minutes after millions of streams were put out (durability.py cold).
constexpr std::int64_t kTableBytesPerSecond = std::int64_t{48} << 20;

// Forgets deletions of streams that the checkpoint is past.
class ForgetDeletions final : public rocksdb::CompactionFilterFactory {
 public:
  explicit ForgetDeletions(std::shared_ptr<std::atomic<std::uint64_t>> checkpoint)
      : checkpoint_(std::move(checkpoint)) {}
  const char* Name() const override { return "tidegate.ForgetDeletions"; }
  std::unique_ptr<rocksdb::CompactionFilter> CreateCompactionFilter(
      const rocksdb::CompactionFilter::Context&) override {
    return std::make_unique<Old>(checkpoint_->load());
  }

 private:
  class Old final : public rocksdb::CompactionFilter {
   public:
    explicit Old(std::uint64_t checkpoint) : checkpoint_(checkpoint) {}
    const char* Name() const override { return "tidegate.ForgetDeletions"; }
    bool Filter(int, const rocksdb::Slice& id, const rocksdb::Slice& record, std::string*,
                bool*) const override {
      return IsOldDeletion(View(id), View(record), checkpoint_);
    }

   private:
    const std::uint64_t checkpoint_;
  };
  std::shared_ptr<std::atomic<std::uint64_t>> checkpoint_;
};

// With checksums that CheckedTables knows, in a layout that every RocksDB since 6.6 reads. Debian builds
// RocksDB for any x86-64, so its CRC-32C goes by tables: 1.3 GB/s, two fifths of reading all states.
rocksdb::BlockBasedTableOptions TableOptions() {
  rocksdb::BlockBasedTableOptions table;
  table.checksum = rocksdb::kxxHash64;
  table.format_version = 5;
  return table;
}

// States are read one by one, at random, and an id that has none must cost little. Filters and indexes stay
// in memory: about 1.5 bytes a stream.
rocksdb::ColumnFamilyOptions StateFamily(const StoreOptions& options, const Database& database) {
  rocksdb::ColumnFamilyOptions family;
  family.compaction_filter_factory = std::make_shared<ForgetDeletions>(database.checkpoint);
  family.write_buffer_size = 8 * options.state_buffer_bytes;  // never full: the store flushes in time
  family.max_write_buffer_number = 4;
  family.compression = rocksdb::kNoCompression;
  family.level_compaction_dynamic_level_bytes = true;
  // RocksDB slows writers down by sleeping in them, and a shard's thread that puts streams out to the disk is
  // one: the thousand hot streams would wait for the compaction of ten million. 16 GiB may wait for it.
  family.level0_slowdown_writes_trigger = 256;
  family.level0_stop_writes_trigger = 512;
  family.soft_pending_compaction_bytes_limit = 0;
  family.hard_pending_compaction_bytes_limit = 0;
  rocksdb::BlockBasedTableOptions table = TableOptions();
  table.block_size = std::size_t{16} << 10;
  table.block_cache = rocksdb::NewLRUCache(options.cache_bytes);
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(table));
  return family;
}

rocksdb::ColumnFamilyOptions MetaFamily() {
  rocksdb::ColumnFamilyOptions family;
  family.write_buffer_size = std::size_t{1} << 20;
  family.compression = rocksdb::kNoCompression;
  family.table_factory.reset(rocksdb::NewBlockBasedTableFactory(TableOptions()));
  return family;
}

rocksdb::DBOptions DatabaseOptions(rocksdb::Env* env, OpenMode mode) {
  rocksdb::DBOptions db;
  db.env = env;
  db.create_if_missing = mode == OpenMode::kCreate;
  db.error_if_exists = mode == OpenMode::kCreate;
  db.create_missing_column_families = mode == OpenMode::kCreate;
  db.paranoid_checks = true;
  // Damage in the log is told from an end that a power cut tore by the caller, who knows how far it should
  // go.
  db.wal_recovery_mode = mode == OpenMode::kStrict ? rocksdb::WALRecoveryMode::kAbsoluteConsistency
                                                   : rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  // States are not in the log: they reach the disk with the checkpoint that they belong to, or not at all.
  db.atomic_flush = true;
  db.max_background_jobs = 2;
  db.max_file_opening_threads = 2;  // started for each family, be its files ever so few
  db.rate_limiter.reset(rocksdb::NewGenericRateLimiter(kTableBytesPerSecond));
  db.bytes_per_sync = std::uint64_t{1} << 20;  // so that syncs of the journal do not wait behind large files
  db.avoid_flush_during_shutdown = true;       // Store::Close flushes; else it is to be like a crash
  db.max_bgerror_resume_count = 0;             // an error is the end
  db.skip_stats_update_on_db_open = true;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  db.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  db.max_log_file_size = std::size_t{4} << 20;
  db.keep_log_file_num = 4;
  return db;
}

}  // namespace

absl::Status StatusOf(const rocksdb::Status& status, absl::string_view task) {
  if (status.ok()) return absl::OkStatus();
  const std::string message = absl::StrCat(task, ": ", status.ToString());
  if (status.IsCorruption() || status.IsPathNotFound() || status.IsNotFound() || status.IsNotSupported() ||
      status.IsInvalidArgument()) {
    return absl::DataLossError(absl::StrCat(message, "; restore a backup"));
  }
  return absl::UnavailableError(message);
}

StoreFiles::StoreFiles(const StoreOptions& options)
    : system(options.file_system != nullptr ? options.file_system : rocksdb::FileSystem::Default()),
      env(rocksdb::NewCompositeEnv(std::make_shared<CheckedTables>(system))),
      folder(options.folder),
      database(absl::StrCat(folder, "/", store_format::kDatabase)),
      new_database(absl::StrCat(folder, "/", store_format::kNewDatabase)) {
  // To rewrite files is never urgent, to answer is.
  env->LowerThreadPoolCPUPriority(rocksdb::Env::LOW);
}

void Database::CloseQuietly() {
  if (db == nullptr) return;
  for (rocksdb::ColumnFamilyHandle*& family : families) {
    if (family != nullptr) db->DestroyColumnFamilyHandle(family).PermitUncheckedError();
    family = nullptr;
  }
  db->Close().PermitUncheckedError();
  db.reset();
}

const std::vector<std::string>& FamilyNames() {
  static const auto* const names =
      new std::vector<std::string>{rocksdb::kDefaultColumnFamilyName, "state", "meta"};
  return *names;
}

rocksdb::Status OpenDatabase(const StoreOptions& options, const StoreFiles& files, const std::string& path,
                             OpenMode mode, std::shared_ptr<rocksdb::EventListener> listener,
                             Database& database) {
  rocksdb::DBOptions db_options = DatabaseOptions(files.env.get(), mode);
  if (listener != nullptr) db_options.listeners.push_back(std::move(listener));
  const std::vector<std::string>& names = FamilyNames();
  const std::vector<rocksdb::ColumnFamilyDescriptor> families = {
      {names[Database::kDefault], MetaFamily()},
      {names[Database::kState], StateFamily(options, database)},
      {names[Database::kMeta], MetaFamily()}};
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  rocksdb::Status status = mode == OpenMode::kReadOnly
                               ? rocksdb::DB::OpenForReadOnly(db_options, path, families, &handles, &db)
                               : rocksdb::DB::Open(db_options, path, families, &handles, &db);
  if (!status.ok()) return status;
  database.db.reset(db);
  for (std::size_t i = 0; i < handles.size(); ++i) database.families[i] = handles[i];
  return status;
}

}  // namespace tidegate
