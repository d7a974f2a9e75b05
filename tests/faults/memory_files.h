#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include "rocksdb/file_system.h"
#include "tests/faults/disk.h"
#include "tests/faults/memory_file_system.h"

namespace tidegate {

// An open file of a MemoryFileSystem.
struct MemoryFile {
  std::shared_ptr<Disk> disk;
  std::uint32_t node = 0;
  std::string path;
  Faults faults;

  Fault Ask(Call call) const { return faults ? faults(call, path) : Fault{}; }
  rocksdb::IOStatus Read(std::uint64_t offset, std::size_t size, rocksdb::Slice* result,
                         char* scratch) const {
    if (Fault fault = Ask(Call::kRead); !fault.status.ok()) return fault.status;
    const auto content = disk->Content(node);
    const std::size_t begin = std::min<std::size_t>(offset, content->size());
    const std::size_t bytes = std::min(size, content->size() - begin);
    std::copy_n(content->data() + begin, bytes, scratch);
    *result = rocksdb::Slice(scratch, bytes);
    return rocksdb::IOStatus::OK();
  }
  // at_end: offset does not count.
  rocksdb::IOStatus Write(std::uint64_t offset, bool at_end, const rocksdb::Slice& data) const {
    const Fault fault = Ask(Call::kWrite);
    std::string bytes = data.ToString();
    if (!fault.status.ok())
      bytes.resize(static_cast<std::size_t>(fault.part * static_cast<double>(bytes.size())));
    if (!bytes.empty())
      at_end ? disk->Append(node, std::move(bytes)) : disk->Write(node, offset, std::move(bytes));
    return fault.status;
  }
  rocksdb::IOStatus Sync() const {
    if (Fault fault = Ask(Call::kSync); !fault.status.ok()) return fault.status;
    disk->Sync(node);
    return rocksdb::IOStatus::OK();
  }
};

class MemorySequentialFile final : public rocksdb::FSSequentialFile {
 public:
  explicit MemorySequentialFile(MemoryFile file) : file_(std::move(file)) {}
  rocksdb::IOStatus Read(std::size_t size, const rocksdb::IOOptions&, rocksdb::Slice* result, char* scratch,
                         rocksdb::IODebugContext*) override {
    rocksdb::IOStatus status = file_.Read(offset_, size, result, scratch);
    if (status.ok()) offset_ += result->size();
    return status;
  }
  rocksdb::IOStatus Skip(std::uint64_t bytes) override {
    offset_ += bytes;
    return rocksdb::IOStatus::OK();
  }

 private:
  MemoryFile file_;
  std::uint64_t offset_ = 0;
};

class MemoryRandomAccessFile final : public rocksdb::FSRandomAccessFile {
 public:
  explicit MemoryRandomAccessFile(MemoryFile file) : file_(std::move(file)) {}
  rocksdb::IOStatus Read(std::uint64_t offset, std::size_t size, const rocksdb::IOOptions&,
                         rocksdb::Slice* result, char* scratch, rocksdb::IODebugContext*) const override {
    return file_.Read(offset, size, result, scratch);
  }

 private:
  MemoryFile file_;
};

class MemoryWritableFile final : public rocksdb::FSWritableFile {
 public:
  explicit MemoryWritableFile(MemoryFile file) : file_(std::move(file)) {}
  using rocksdb::FSWritableFile::Append;
  rocksdb::IOStatus Append(const rocksdb::Slice& data, const rocksdb::IOOptions&,
                           rocksdb::IODebugContext*) override {
    return file_.Write(0, /*at_end=*/true, data);
  }
  rocksdb::IOStatus Truncate(std::uint64_t size, const rocksdb::IOOptions&,
                             rocksdb::IODebugContext*) override {
    if (Fault fault = file_.Ask(Call::kWrite); !fault.status.ok()) return fault.status;
    if (file_.disk->Content(file_.node)->size() != size) file_.disk->Truncate(file_.node, size);
    return rocksdb::IOStatus::OK();
  }
  rocksdb::IOStatus Close(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }
  rocksdb::IOStatus Flush(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return file_.Sync();
  }
  bool IsSyncThreadSafe() const override { return true; }
  std::uint64_t GetFileSize(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return file_.disk->Content(file_.node)->size();
  }

 private:
  MemoryFile file_;
};

class MemoryRandomRWFile final : public rocksdb::FSRandomRWFile {
 public:
  explicit MemoryRandomRWFile(MemoryFile file) : file_(std::move(file)) {}
  rocksdb::IOStatus Write(std::uint64_t offset, const rocksdb::Slice& data, const rocksdb::IOOptions&,
                          rocksdb::IODebugContext*) override {
    return file_.Write(offset, /*at_end=*/false, data);
  }
  rocksdb::IOStatus Read(std::uint64_t offset, std::size_t size, const rocksdb::IOOptions&,
                         rocksdb::Slice* result, char* scratch, rocksdb::IODebugContext*) const override {
    return file_.Read(offset, size, result, scratch);
  }
  rocksdb::IOStatus Flush(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }
  rocksdb::IOStatus Sync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return file_.Sync();
  }
  rocksdb::IOStatus Close(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    return rocksdb::IOStatus::OK();
  }

 private:
  MemoryFile file_;
};

class MemoryDirectory final : public rocksdb::FSDirectory {
 public:
  explicit MemoryDirectory(MemoryFile file) : file_(std::move(file)) {}
  rocksdb::IOStatus Fsync(const rocksdb::IOOptions&, rocksdb::IODebugContext*) override {
    if (Fault fault = file_.Ask(Call::kSync); !fault.status.ok()) return fault.status;
    file_.disk->SyncFolder(file_.node);
    return rocksdb::IOStatus::OK();
  }
  std::size_t GetUniqueId(char*, std::size_t) const override { return 0; }

 private:
  MemoryFile file_;
};

}  // namespace tidegate
