#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>

#include "rocksdb/file_system.h"
#include "tests/faults/disk.h"

namespace tidegate {

// What a call of the file system does to a disk: for those who let one fail.
enum class Call : std::uint8_t { kOpen, kRead, kWrite, kSync, kName, kOther };

// Before a call: what it is to return. Not ok: the call does nothing else; of a write, `part` of its bytes
// (0 to 1) are written all the same.
struct Fault {
  rocksdb::IOStatus status;
  double part = 0;
};
using Faults = std::function<Fault(Call call, const std::string& path)>;

// The files of a Disk for RocksDB. Thread-safe.
class MemoryFileSystem final : public rocksdb::FileSystem {
 public:
  // faults: asked before each call, from any thread; may be empty.
  explicit MemoryFileSystem(std::shared_ptr<Disk> disk, Faults faults = {});
  ~MemoryFileSystem() override = default;

  const char* Name() const override { return "MemoryFileSystem"; }
  Disk& disk() { return *disk_; }

  using Options = rocksdb::FileOptions;
  using Io = rocksdb::IOOptions;
  using Debug = rocksdb::IODebugContext;
  using Status = rocksdb::IOStatus;
  Status NewSequentialFile(const std::string&, const Options&, std::unique_ptr<rocksdb::FSSequentialFile>*,
                           Debug*) override;
  Status NewRandomAccessFile(const std::string&, const Options&,
                             std::unique_ptr<rocksdb::FSRandomAccessFile>*, Debug*) override;
  Status NewWritableFile(const std::string&, const Options&, std::unique_ptr<rocksdb::FSWritableFile>*,
                         Debug*) override;
  Status NewRandomRWFile(const std::string&, const Options&, std::unique_ptr<rocksdb::FSRandomRWFile>*,
                         Debug*) override;
  Status NewDirectory(const std::string&, const Io&, std::unique_ptr<rocksdb::FSDirectory>*, Debug*) override;
  Status FileExists(const std::string&, const Io&, Debug*) override;
  Status GetChildren(const std::string&, const Io&, std::vector<std::string>*, Debug*) override;
  Status DeleteFile(const std::string&, const Io&, Debug*) override;
  Status CreateDir(const std::string&, const Io&, Debug*) override;
  Status CreateDirIfMissing(const std::string&, const Io&, Debug*) override;
  Status DeleteDir(const std::string&, const Io&, Debug*) override;
  Status GetFileSize(const std::string&, const Io&, std::uint64_t*, Debug*) override;
  Status GetFileModificationTime(const std::string&, const Io&, std::uint64_t*, Debug*) override;
  Status RenameFile(const std::string&, const std::string&, const Io&, Debug*) override;
  Status LinkFile(const std::string&, const std::string&, const Io&, Debug*) override;
  Status LockFile(const std::string&, const Io&, rocksdb::FileLock**, Debug*) override;
  Status UnlockFile(rocksdb::FileLock*, const Io&, Debug*) override;
  Status GetTestDirectory(const Io&, std::string*, Debug*) override;
  Status GetAbsolutePath(const std::string&, const Io&, std::string*, Debug*) override;
  Status NewLogger(const std::string&, const Io&, std::shared_ptr<rocksdb::Logger>*, Debug*) override;
  Status IsDirectory(const std::string&, const Io&, bool*, Debug*) override;
  Status GetFreeSpace(const std::string&, const Io&, std::uint64_t*, Debug*) override;

 private:
  Status Ask(Call call, const std::string& path) const;
  Status Missing(const std::string& path) const;

  std::shared_ptr<Disk> disk_;
  Faults faults_;
  std::mutex mutex_;  // guards what follows
  std::set<std::string> locked_;
};

}  // namespace tidegate
