#include "server/store/manifest.h"

#include <algorithm>
#include <cstdint>
#include <memory>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "rocksdb/env.h"
#include "server/store/bytes.h"
#include "server/store/crc32c.h"
#include "server/store/create_store.h"
#include "server/store/rocks.h"

namespace tidegate {
namespace {

// A record is one fragment, or a first one, any number of middle ones and a last one. A fragment: checksum
// u32 of type and data, bytes u16, type u8, data. None crosses the end of a block; less than a header's room
// there is left empty.
constexpr std::size_t kBlock = 32'768;
constexpr std::size_t kHeader = 7;
enum Type : std::uint8_t { kEmpty, kFull, kFirst, kMiddle, kLast };

std::uint32_t Unmask(std::uint32_t checksum) {  // RocksDB turns checksums, as logs may hold logs
  const std::uint32_t turned = checksum - 0xa282ead8;
  return turned >> 17 | turned << 15;
}

absl::Status ReadAll(rocksdb::FileSystem& files, const std::string& path, std::string& text) {
  std::uint64_t bytes = 0;
  std::unique_ptr<rocksdb::FSSequentialFile> file;
  rocksdb::Slice read;
  rocksdb::IOStatus status = files.GetFileSize(path, {}, &bytes, nullptr);
  if (status.ok()) status = files.NewSequentialFile(path, {}, &file, nullptr);
  text.resize(bytes);
  if (status.ok()) status = file->Read(bytes, {}, &read, text.data(), nullptr);
  text = read.ToString();
  return StatusOf(status, absl::StrCat("reading ", path));
}

absl::Status WriteAll(rocksdb::FileSystem& files, const std::string& path, absl::string_view text) {
  std::unique_ptr<rocksdb::FSWritableFile> file;
  rocksdb::IOStatus status = files.NewWritableFile(path, {}, &file, nullptr);
  if (status.ok()) status = file->Append(Slice(text), {}, nullptr);
  if (status.ok()) status = file->Fsync({}, nullptr);
  if (status.ok()) status = file->Close({}, nullptr);
  return StatusOf(status, absl::StrCat("writing ", path));
}

}  // namespace

std::size_t WholeRecords(absl::string_view file) {
  std::size_t whole = 0;
  bool within = false;  // a record whose first fragment was there
  for (std::size_t at = 0; at < file.size();) {
    const std::size_t left = kBlock - at % kBlock;
    if (left < kHeader) {
      at += left;
      continue;
    }
    ByteReader reader(file.substr(at));
    const auto checksum = reader.Number<std::uint32_t>();
    const auto bytes = reader.Number<std::uint16_t>();
    const auto type = reader.Number<std::uint8_t>();
    const absl::string_view data = reader.Bytes(bytes);
    const absl::string_view covered = file.substr(std::min(file.size(), at + kHeader - 1), data.size() + 1);
    if (!reader.ok() || kHeader + bytes > left || Crc32c(covered) != Unmask(checksum)) break;
    if (type < kFull || type > kLast || within == (type == kFull || type == kFirst)) break;
    within = type == kFirst || type == kMiddle;
    at += kHeader + bytes;
    if (!within) whole = at;
  }
  return whole;
}

absl::Status CutTornManifest(rocksdb::FileSystem& files, const std::string& database) {
  std::string current;
  if (absl::Status s = ReadAll(files, absl::StrCat(database, "/CURRENT"), current); !s.ok()) return s;
  const std::string path = absl::StrCat(database, "/", absl::StripSuffix(current, "\n"));
  std::string manifest;
  if (absl::Status s = ReadAll(files, path, manifest); !s.ok()) return s;
  const std::size_t whole = WholeRecords(manifest);
  if (whole == manifest.size()) return absl::OkStatus();
  if (whole == 0) {
    return absl::DataLossError(absl::StrCat(path, " is damaged at its beginning; restore a backup"));
  }
  if (absl::Status s = WriteAll(files, absl::StrCat(path, ".torn"), manifest); !s.ok()) return s;
  const std::string cut = absl::StrCat(path, ".cut");
  if (absl::Status s = WriteAll(files, cut, absl::string_view(manifest).substr(0, whole)); !s.ok()) return s;
  const rocksdb::IOStatus renamed = files.RenameFile(cut, path, {}, nullptr);
  if (!renamed.ok()) return StatusOf(renamed, absl::StrCat("renaming ", cut));
  return SyncFolder(files, database);
}

}  // namespace tidegate
