#include "server/store/stored_state.h"

#include <algorithm>
#include <cassert>
#include <cstring>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "server/store/broken.h"
#include "server/store/bytes.h"
#include "server/store/crc32c.h"
#include "server/store/stream_header_codec.h"

// A record, numbers little-endian:
//   checksum u32   crc32c of what follows it, then of the stream's id
//   version u8     1
//   deleted u8     0 or 1
//   0 u8 [2]
//   position u64, model u32, floats u32, header (stream_header_codec.h), 0 u8, floats f32
namespace tidegate {
namespace {

constexpr std::uint8_t kVersion = 1;
constexpr std::size_t kChecksumBytes = 4;
constexpr std::size_t kFixedBytes = 24 + kStreamHeaderBytes + 1;

char* PutRecord(char* record, absl::string_view stream, std::uint64_t position, std::uint32_t model,
                const StreamHeader& header, std::span<const float> floats, bool deleted) {
  char* at = record + kChecksumBytes;
  at = PutNumber(at, kVersion);
  at = PutNumber(at, static_cast<std::uint8_t>(deleted));
  at = PutNumber(at, std::uint16_t{0});
  at = PutNumber(at, position);
  at = PutNumber(at, model);
  at = PutNumber(at, static_cast<std::uint32_t>(floats.size()));
  at = PutStreamHeader(at, header);
  at = PutNumber(at, std::uint8_t{0});
  at = PutBytes(at, floats.data(), floats.size_bytes());
  const absl::string_view content(record + kChecksumBytes,
                                  static_cast<std::size_t>(at - record) - kChecksumBytes);
  PutNumber(record, Crc32c(stream, Crc32c(content)));
  return at;
}

}  // namespace

void StateBatch::Put(absl::string_view stream, std::uint64_t position, std::uint32_t model,
                     const StreamHeader& header, std::span<const float> floats) {
  Add(stream, position, model, header, floats, /*deleted=*/false);
}
void StateBatch::Delete(absl::string_view stream, std::uint64_t position) {
  Add(stream, position, 0, {}, {}, /*deleted=*/true);
}

void StateBatch::Add(absl::string_view stream, std::uint64_t position, std::uint32_t model,
                     const StreamHeader& header, std::span<const float> floats, bool deleted) {
  assert(!stream.empty());
  const std::size_t begin = bytes_.size();
  const std::size_t record_bytes = kFixedBytes + floats.size_bytes();
  rows_.push_back(
      {begin, static_cast<std::uint32_t>(stream.size()), static_cast<std::uint32_t>(record_bytes)});
  bytes_.resize(begin + stream.size() + record_bytes);
  last_position_ = std::max(last_position_, position);
  char* at = PutBytes(bytes_.data() + begin, stream.data(), stream.size());
  PutRecord(at, stream, position, model, header, floats, deleted);
}

void StateBatch::Clear() {
  bytes_.clear();
  rows_.clear();
  last_position_ = 0;
}

void StateBatch::Sort() {
  std::stable_sort(rows_.begin(), rows_.end(), [&](const Row& a, const Row& b) { return id(a) < id(b); });
}

absl::Status ReadStateRecord(absl::string_view id, absl::string_view record, StoredState& state) {
  ByteReader bytes(record);
  const auto checksum = bytes.Number<std::uint32_t>();
  const absl::string_view content = bytes.rest();
  const auto version = bytes.Number<std::uint8_t>();
  state.deleted = bytes.Number<std::uint8_t>() != 0;
  bytes.Number<std::uint16_t>();
  state.position = bytes.Number<std::uint64_t>();
  state.model = bytes.Number<std::uint32_t>();
  const auto floats = bytes.Number<std::uint32_t>();
  const bool has_header = GetStreamHeader(bytes, state.header);
  bytes.Number<std::uint8_t>();
  const auto damaged = [&](absl::string_view what) {
    return absl::DataLossError(absl::StrCat("the state of stream '", absl::CEscape(id), "' ", what));
  };
  if (Crc32c(id, Crc32c(content)) != checksum && !Broken(Break::kSkipChecksums)) {
    return damaged(absl::StrCat("does not match its checksum (", record.size(), " bytes)"));
  }
  if (version != kVersion) return damaged(absl::StrCat("is of version ", version, ", not ", kVersion));
  if (!has_header || bytes.rest().size() != floats * sizeof(float)) {
    return damaged(
        absl::StrCat("has ", record.size(), " bytes and should have ", kFixedBytes + floats * sizeof(float)));
  }
  state.floats.resize(floats);
  if (floats > 0) std::memcpy(state.floats.data(), bytes.rest().data(), bytes.rest().size());
  return absl::OkStatus();
}

bool IsOldDeletion(absl::string_view id, absl::string_view record, std::uint64_t checkpoint) {
  if (record.size() != kFixedBytes) return false;
  StoredState state;
  return ReadStateRecord(id, record, state).ok() && state.deleted && state.position <= checkpoint;
}

}  // namespace tidegate
