#pragma once

#include <memory>
#include <string>

#include "rocksdb/file_system.h"

namespace tidegate {

// Files whose tables (*.sst) are looked at before RocksDB gets them: RocksDB 7.8 takes apart a table's block
// of properties, and only then compares its checksum, so one flipped bit could end the process. A table whose
// block of properties, or the block that says where it lies, is damaged is not opened: Corruption. All else
// is for RocksDB to find, tables with other checksums than XXH64 included.
class CheckedTables final : public rocksdb::FileSystemWrapper {
 public:
  explicit CheckedTables(const std::shared_ptr<rocksdb::FileSystem>& files) : FileSystemWrapper(files) {}
  const char* Name() const override { return "tidegate.CheckedTables"; }
  rocksdb::IOStatus NewRandomAccessFile(const std::string& path, const rocksdb::FileOptions& options,
                                        std::unique_ptr<rocksdb::FSRandomAccessFile>* file,
                                        rocksdb::IODebugContext* debug) override;
};

}  // namespace tidegate
