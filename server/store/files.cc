#include "server/store/files.h"

#include <cstdint>
#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/store/rocks.h"

namespace tidegate {
namespace {

constexpr std::size_t kCopyBytes = std::size_t{1} << 20;

}  // namespace

absl::Status ReadFile(rocksdb::FileSystem& files, const std::string& path, std::string& text) {
  std::uint64_t bytes = 0;
  std::unique_ptr<rocksdb::FSSequentialFile> file;
  rocksdb::Slice read;
  rocksdb::IOStatus status = files.GetFileSize(path, {}, &bytes, nullptr);
  if (status.ok()) status = files.NewSequentialFile(path, {}, &file, nullptr);
  std::string buffer(bytes, '\0');
  if (status.ok()) status = file->Read(bytes, {}, &read, buffer.data(), nullptr);
  text = read.ToString();
  return StatusOf(status, absl::StrCat("reading ", path));
}

absl::Status WriteFile(rocksdb::FileSystem& files, const std::string& path, absl::string_view text) {
  std::unique_ptr<rocksdb::FSWritableFile> file;
  rocksdb::IOStatus status = files.NewWritableFile(path, {}, &file, nullptr);
  if (status.ok()) status = file->Append(Slice(text), {}, nullptr);
  if (status.ok()) status = file->Fsync({}, nullptr);
  if (status.ok()) status = file->Close({}, nullptr);
  return StatusOf(status, absl::StrCat("writing ", path));
}

absl::Status CutFile(rocksdb::FileSystem& files, const std::string& path, std::size_t bytes) {
  std::string text;
  if (absl::Status s = ReadFile(files, path, text); !s.ok()) return s;
  const std::string cut = absl::StrCat(path, ".cut");
  if (absl::Status s = WriteFile(files, cut, absl::string_view(text).substr(0, bytes)); !s.ok()) return s;
  return StatusOf(files.RenameFile(cut, path, {}, nullptr), absl::StrCat("renaming ", cut));
}

absl::Status CopyFile(rocksdb::FileSystem& files, const std::string& from, const std::string& to) {
  std::unique_ptr<rocksdb::FSSequentialFile> in;
  std::unique_ptr<rocksdb::FSWritableFile> out;
  rocksdb::IOStatus status = files.NewSequentialFile(from, {}, &in, nullptr);
  if (status.ok()) status = files.NewWritableFile(to, {}, &out, nullptr);
  std::string buffer(kCopyBytes, '\0');
  rocksdb::Slice read("more");
  while (status.ok() && !read.empty()) {
    status = in->Read(buffer.size(), {}, &read, buffer.data(), nullptr);
    if (status.ok()) status = out->Append(read, {}, nullptr);
  }
  if (status.ok()) status = out->Fsync({}, nullptr);
  if (status.ok()) status = out->Close({}, nullptr);
  return StatusOf(status, absl::StrCat("copying ", from, " to ", to));
}

absl::Status SyncFolder(rocksdb::FileSystem& files, const std::string& folder) {
  std::unique_ptr<rocksdb::FSDirectory> directory;
  rocksdb::IOStatus status = files.NewDirectory(folder, {}, &directory, nullptr);
  if (status.ok()) status = directory->Fsync({}, nullptr);
  return StatusOf(status, absl::StrCat("syncing the folder ", folder));
}

absl::Status RemoveFolder(rocksdb::FileSystem& files, const std::string& folder) {
  if (files.FileExists(folder, {}, nullptr).IsNotFound()) return absl::OkStatus();
  std::vector<std::string> names;
  rocksdb::IOStatus status = files.GetChildren(folder, {}, &names, nullptr);
  for (const std::string& name : names) {
    if (status.ok() && name != "." && name != "..") {
      status = files.DeleteFile(absl::StrCat(folder, "/", name), {}, nullptr);
    }
  }
  if (status.ok()) status = files.DeleteDir(folder, {}, nullptr);
  return StatusOf(status, absl::StrCat("removing ", folder));
}

}  // namespace tidegate
