#include "tests/faults/memory_file_system.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "rocksdb/env.h"
#include "tests/faults/memory_files.h"

namespace tidegate {
namespace {

using Status = rocksdb::IOStatus;

class NamedLock final : public rocksdb::FileLock {
 public:
  explicit NamedLock(std::string path) : path_(std::move(path)) {}
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

class NoLogger final : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
  std::size_t GetLogFileSize() const override { return 0; }
};

}  // namespace

MemoryFileSystem::MemoryFileSystem(std::shared_ptr<Disk> disk, Faults faults)
    : disk_(std::move(disk)), faults_(std::move(faults)) {}

Status MemoryFileSystem::Ask(Call call, const std::string& path) const {
  return faults_ ? faults_(call, path).status : Status::OK();
}
Status MemoryFileSystem::Missing(const std::string& path) const { return Status::PathNotFound(path); }

Status MemoryFileSystem::NewSequentialFile(const std::string& path, const Options&,
                                           std::unique_ptr<rocksdb::FSSequentialFile>* file, Debug*) {
  if (Status s = Ask(Call::kOpen, path); !s.ok()) return s;
  const std::uint32_t node = disk_->Find(path);
  if (node == Disk::kNone) return Missing(path);
  *file = std::make_unique<MemorySequentialFile>(MemoryFile{disk_, node, path, faults_});
  return Status::OK();
}

Status MemoryFileSystem::NewRandomAccessFile(const std::string& path, const Options&,
                                             std::unique_ptr<rocksdb::FSRandomAccessFile>* file, Debug*) {
  if (Status s = Ask(Call::kOpen, path); !s.ok()) return s;
  const std::uint32_t node = disk_->Find(path);
  if (node == Disk::kNone) return Missing(path);
  *file = std::make_unique<MemoryRandomAccessFile>(MemoryFile{disk_, node, path, faults_});
  return Status::OK();
}

Status MemoryFileSystem::NewWritableFile(const std::string& path, const Options&,
                                         std::unique_ptr<rocksdb::FSWritableFile>* file, Debug*) {
  if (Status s = Ask(Call::kOpen, path); !s.ok()) return s;
  const auto [folder, name] = disk_->FindFolder(path);
  if (folder == Disk::kNone) return Missing(path);
  const std::uint32_t node = disk_->Make(folder, name, /*is_folder=*/false);
  *file = std::make_unique<MemoryWritableFile>(MemoryFile{disk_, node, path, faults_});
  return Status::OK();
}

Status MemoryFileSystem::NewRandomRWFile(const std::string& path, const Options&,
                                         std::unique_ptr<rocksdb::FSRandomRWFile>* file, Debug*) {
  if (Status s = Ask(Call::kOpen, path); !s.ok()) return s;
  const std::uint32_t node = disk_->Find(path);
  if (node == Disk::kNone) return Missing(path);
  *file = std::make_unique<MemoryRandomRWFile>(MemoryFile{disk_, node, path, faults_});
  return Status::OK();
}

Status MemoryFileSystem::NewDirectory(const std::string& path, const Io&,
                                      std::unique_ptr<rocksdb::FSDirectory>* directory, Debug*) {
  if (Status s = Ask(Call::kOpen, path); !s.ok()) return s;
  const std::uint32_t node = disk_->Find(path);
  if (node == Disk::kNone) return Missing(path);
  *directory = std::make_unique<MemoryDirectory>(MemoryFile{disk_, node, path, faults_});
  return Status::OK();
}

Status MemoryFileSystem::FileExists(const std::string& path, const Io&, Debug*) {
  if (Status s = Ask(Call::kOther, path); !s.ok()) return s;
  return disk_->Find(path) == Disk::kNone ? Status::NotFound(path) : Status::OK();
}

Status MemoryFileSystem::GetChildren(const std::string& path, const Io&, std::vector<std::string>* names,
                                     Debug*) {
  if (Status s = Ask(Call::kOther, path); !s.ok()) return s;
  const std::uint32_t node = disk_->Find(path);
  if (node == Disk::kNone) return Status::NotFound(path);
  *names = disk_->Names(node);
  return Status::OK();
}

Status MemoryFileSystem::DeleteFile(const std::string& path, const Io&, Debug*) {
  if (Status s = Ask(Call::kName, path); !s.ok()) return s;
  if (disk_->Find(path) == Disk::kNone) return Missing(path);
  const auto [folder, name] = disk_->FindFolder(path);
  disk_->Unname(folder, name);
  return Status::OK();
}

Status MemoryFileSystem::CreateDir(const std::string& path, const Io&, Debug*) {
  if (Status s = Ask(Call::kName, path); !s.ok()) return s;
  if (disk_->Find(path) != Disk::kNone) return Status::IOError(path, "exists");
  const auto [folder, name] = disk_->FindFolder(path);
  if (folder == Disk::kNone) return Missing(path);
  disk_->Make(folder, name, /*is_folder=*/true);
  return Status::OK();
}

Status MemoryFileSystem::CreateDirIfMissing(const std::string& path, const Io& io, Debug* debug) {
  if (disk_->Find(path) != Disk::kNone) return Status::OK();
  return CreateDir(path, io, debug);
}

Status MemoryFileSystem::DeleteDir(const std::string& path, const Io& io, Debug* debug) {
  const std::uint32_t node = disk_->Find(path);
  if (node != Disk::kNone && !disk_->Names(node).empty()) return Status::IOError(path, "not empty");
  return DeleteFile(path, io, debug);
}

Status MemoryFileSystem::GetFileSize(const std::string& path, const Io&, std::uint64_t* bytes, Debug*) {
  if (Status s = Ask(Call::kOther, path); !s.ok()) return s;
  const std::uint32_t node = disk_->Find(path);
  if (node == Disk::kNone) return Missing(path);
  *bytes = disk_->Content(node)->size();
  return Status::OK();
}

Status MemoryFileSystem::GetFileModificationTime(const std::string&, const Io&, std::uint64_t* time, Debug*) {
  *time = 0;
  return Status::OK();
}

Status MemoryFileSystem::RenameFile(const std::string& from, const std::string& to, const Io&, Debug*) {
  if (Status s = Ask(Call::kName, from); !s.ok()) return s;
  if (disk_->Find(from) == Disk::kNone) return Missing(from);
  const auto [folder, name] = disk_->FindFolder(from);
  const auto [new_folder, new_name] = disk_->FindFolder(to);
  if (folder != new_folder) return Status::NotSupported("renaming into another folder");
  disk_->Rename(folder, name, new_name);
  return Status::OK();
}

Status MemoryFileSystem::LinkFile(const std::string& from, const std::string& to, const Io&, Debug*) {
  if (Status s = Ask(Call::kName, from); !s.ok()) return s;
  const std::uint32_t node = disk_->Find(from);
  const auto [folder, name] = disk_->FindFolder(to);
  if (node == Disk::kNone || folder == Disk::kNone) return Missing(from);
  disk_->Name(folder, name, node);
  return Status::OK();
}

Status MemoryFileSystem::LockFile(const std::string& path, const Io&, rocksdb::FileLock** lock, Debug*) {
  if (Status s = Ask(Call::kOpen, path); !s.ok()) return s;
  const std::lock_guard hold(mutex_);
  if (!locked_.insert(path).second) return Status::IOError(path, "is locked");
  if (disk_->Find(path) == Disk::kNone) {
    const auto [folder, name] = disk_->FindFolder(path);
    disk_->Make(folder, name, /*is_folder=*/false);
  }
  *lock = new NamedLock(path);
  return Status::OK();
}

Status MemoryFileSystem::UnlockFile(rocksdb::FileLock* lock, const Io&, Debug*) {
  const std::lock_guard hold(mutex_);
  locked_.erase(static_cast<NamedLock*>(lock)->path());
  delete lock;
  return Status::OK();
}

Status MemoryFileSystem::GetTestDirectory(const Io&, std::string* path, Debug*) {
  *path = "/";
  return Status::OK();
}

Status MemoryFileSystem::GetAbsolutePath(const std::string& path, const Io&, std::string* absolute, Debug*) {
  *absolute = path;
  return Status::OK();
}

Status MemoryFileSystem::NewLogger(const std::string&, const Io&, std::shared_ptr<rocksdb::Logger>* logger,
                                   Debug*) {
  *logger = std::make_shared<NoLogger>();
  return Status::OK();
}

Status MemoryFileSystem::IsDirectory(const std::string& path, const Io&, bool* is_folder, Debug*) {
  const std::uint32_t node = disk_->Find(path);
  if (node == Disk::kNone) return Missing(path);
  *is_folder = disk_->IsFolder(node);
  return Status::OK();
}

Status MemoryFileSystem::GetFreeSpace(const std::string&, const Io&, std::uint64_t* bytes, Debug*) {
  *bytes = std::uint64_t{1} << 40;
  return Status::OK();
}

}  // namespace tidegate
