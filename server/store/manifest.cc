#include "server/store/manifest.h"

#include <algorithm>
#include <cstdint>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "server/store/bytes.h"
#include "server/store/crc32c.h"
#include "server/store/files.h"

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
  if (absl::Status s = ReadFile(files, absl::StrCat(database, "/CURRENT"), current); !s.ok()) return s;
  const std::string path = absl::StrCat(database, "/", absl::StripSuffix(current, "\n"));
  std::string manifest;
  if (absl::Status s = ReadFile(files, path, manifest); !s.ok()) return s;
  const std::size_t whole = WholeRecords(manifest);
  if (whole == manifest.size()) return absl::OkStatus();
  if (whole == 0) {
    return absl::DataLossError(absl::StrCat(path, " is damaged at its beginning; restore a backup"));
  }
  if (absl::Status s = WriteFile(files, absl::StrCat(path, ".torn"), manifest); !s.ok()) return s;
  if (absl::Status s = CutFile(files, path, whole); !s.ok()) return s;
  return SyncFolder(files, database);
}

}  // namespace tidegate
