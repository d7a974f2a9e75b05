#include "server/store/journal_end.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/store/bytes.h"
#include "server/store/crc32c.h"
#include "server/store/rocks.h"
#include "server/store/store_format.h"

// The file: a line that names it and the store's format version, and at 512 and 1024 a slot each:
//   checksum u32   crc32c of what follows it
//   serial u64     the higher one counts; slot serial % 2
//   written u64, synced u64, sequence u64, boot_id u8 [40], zeros behind it
namespace tidegate {
namespace {

constexpr std::size_t kSector = 512;
constexpr std::size_t kFileBytes = 3 * kSector;
constexpr std::size_t kBootIdBytes = 40;
constexpr std::size_t kSlotBytes = 4 + 4 * 8 + kBootIdBytes;
constexpr char kName[] = "tidegate store, format ";

std::string FirstLine() { return absl::StrCat(kName, store_format::kVersion, "\n"); }
std::string PathIn(const std::string& folder) { return absl::StrCat(folder, "/", store_format::kJournalEnd); }
std::size_t SlotOffset(std::uint64_t serial) { return kSector * (1 + serial % 2); }

std::array<char, kSlotBytes> MakeSlot(std::uint64_t serial, const JournalEnd::Mark& mark) {
  std::array<char, kSlotBytes> slot{};
  char* at = slot.data() + sizeof(std::uint32_t);
  at = PutNumber(at, serial);
  at = PutNumber(at, mark.written);
  at = PutNumber(at, mark.synced);
  at = PutNumber(at, mark.sequence);
  PutBytes(at, mark.boot_id.data(), std::min(mark.boot_id.size(), kBootIdBytes));
  PutNumber(slot.data(), Crc32c(absl::string_view(slot.data(), slot.size()).substr(sizeof(std::uint32_t))));
  return slot;
}

struct Slot {
  std::uint64_t serial = 0;
  JournalEnd::Mark mark;
};
std::optional<Slot> ReadSlot(absl::string_view bytes) {
  ByteReader reader(bytes.substr(0, kSlotBytes));
  const auto checksum = reader.Number<std::uint32_t>();
  if (Crc32c(reader.rest()) != checksum) return std::nullopt;
  Slot slot;
  slot.serial = reader.Number<std::uint64_t>();
  slot.mark.written = reader.Number<std::uint64_t>();
  slot.mark.synced = reader.Number<std::uint64_t>();
  slot.mark.sequence = reader.Number<std::uint64_t>();
  const absl::string_view boot_id = reader.Bytes(kBootIdBytes);
  slot.mark.boot_id = std::string(boot_id.substr(0, std::min(boot_id.find('\0'), boot_id.size())));
  return slot;
}

absl::Status CheckFirstLine(absl::string_view text, const std::string& path) {
  const std::string line = FirstLine();
  if (absl::StartsWith(text, line)) return absl::OkStatus();
  if (absl::StartsWith(text, kName)) {
    return absl::FailedPreconditionError(absl::StrCat(
        path, " is of a ", text.substr(0, std::min(text.find('\n'), kSector)), "; this server reads format ",
        store_format::kVersion, ": use the version of Tidegate that wrote it"));
  }
  return absl::DataLossError(absl::StrCat(path, " does not begin with '", kName,
                                          "...': it is damaged or not a store's; restore a backup"));
}

}  // namespace

absl::Status JournalEnd::Create(rocksdb::FileSystem& files, const std::string& folder, const Mark& mark) {
  std::string text(kFileBytes, '\0');
  const std::string line = FirstLine();
  PutBytes(text.data(), line.data(), line.size());
  for (std::uint64_t serial = 0; serial < 2; ++serial) {
    const auto slot = MakeSlot(serial, mark);
    PutBytes(text.data() + SlotOffset(serial), slot.data(), slot.size());
  }
  const std::string path = PathIn(folder);
  std::unique_ptr<rocksdb::FSWritableFile> file;
  rocksdb::IOStatus status = files.NewWritableFile(path, {}, &file, nullptr);
  if (status.ok()) status = file->Append(text, {}, nullptr);
  if (status.ok()) status = file->Fsync({}, nullptr);
  if (status.ok()) status = file->Close({}, nullptr);
  return StatusOf(status, absl::StrCat("making ", path));
}

absl::StatusOr<std::unique_ptr<JournalEnd>> JournalEnd::Open(rocksdb::FileSystem& files,
                                                             const std::string& folder) {
  const std::string path = PathIn(folder);
  std::unique_ptr<JournalEnd> end(new JournalEnd);
  rocksdb::IOStatus status = files.FileExists(path, {}, nullptr);
  if (status.IsNotFound()) return absl::NotFoundError(path);
  std::uint64_t bytes = 0;
  std::string text(kFileBytes, '\0');
  rocksdb::Slice read;
  if (status.ok()) status = files.GetFileSize(path, {}, &bytes, nullptr);
  if (status.ok()) status = files.NewRandomRWFile(path, {}, &end->file_, nullptr);
  if (status.ok()) status = end->file_->Read(0, kFileBytes, {}, &read, text.data(), nullptr);
  if (!status.ok()) return StatusOf(status, absl::StrCat("reading ", path));
  text = read.ToString();
  if (absl::Status first = CheckFirstLine(text, path); !first.ok()) return first;
  if (bytes != kFileBytes || text.size() != kFileBytes) {
    return absl::DataLossError(
        absl::StrCat(path, " has ", bytes, " bytes and should have ", kFileBytes, ": restore a backup"));
  }
  bool found = false;
  for (std::uint64_t serial = 0; serial < 2; ++serial) {
    const auto slot = ReadSlot(absl::string_view(text).substr(SlotOffset(serial)));
    if (!slot || (found && slot->serial < end->serial_)) continue;
    found = true;
    end->serial_ = slot->serial;
    end->found_ = slot->mark;
  }
  if (!found) return absl::DataLossError(absl::StrCat(path, " is damaged: restore a backup"));
  return end;
}

absl::Status JournalEnd::Write(const Mark& mark, bool sync) {
  ++serial_;
  const auto slot = MakeSlot(serial_, mark);
  rocksdb::IOStatus status =
      file_->Write(SlotOffset(serial_), rocksdb::Slice(slot.data(), slot.size()), {}, nullptr);
  if (status.ok() && sync) status = file_->Sync({}, nullptr);
  return StatusOf(status, absl::StrCat("writing ", store_format::kJournalEnd));
}

}  // namespace tidegate
