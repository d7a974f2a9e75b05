#include "server/store/group_reader.h"

#include <cstring>
#include <span>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/store/broken.h"
#include "server/store/bytes.h"
#include "server/store/crc32c.h"
#include "server/store/group_format.h"
#include "server/store/stream_header_codec.h"

namespace tidegate {
namespace {

// Copies floats out of bytes that may lie anywhere.
std::span<const float> GetFloats(ByteReader& bytes, std::size_t count, std::vector<float>& floats) {
  const absl::string_view from = bytes.Bytes(count * sizeof(float));
  floats.resize(from.size() / sizeof(float));
  if (!from.empty()) std::memcpy(floats.data(), from.data(), from.size());
  return floats;
}

bool GetReading(ByteReader& bytes, std::size_t id_bytes, JournalReading& reading,
                std::vector<float>& floats) {
  const auto flags = bytes.Number<std::uint8_t>();
  reading.accept_gap = flags == group_format::kAcceptGap;
  reading.outcome = bytes.Number<Outcome>();
  reading.reason = bytes.Number<Reason>();
  const auto zero = bytes.Number<std::uint8_t>();
  reading.model = bytes.Number<std::uint16_t>();
  const auto features = bytes.Number<std::uint16_t>();
  reading.timestamp_ns = bytes.Number<std::int64_t>();
  reading.sequence = bytes.Number<std::uint64_t>();
  reading.stream = bytes.Bytes(id_bytes);
  reading.values = GetFloats(bytes, features, floats);
  return bytes.ok() && flags <= group_format::kAcceptGap && zero == 0 &&
         reading.outcome >= Outcome::kApplied && reading.outcome <= Outcome::kOverloaded &&
         reading.reason <= Reason::kPoisonedState;
}

bool GetState(ByteReader& bytes, std::size_t id_bytes, JournalState& state, std::vector<float>& floats) {
  state.model = bytes.Number<std::uint16_t>();
  const auto count = bytes.Number<std::uint32_t>();
  const bool has_header = GetStreamHeader(bytes, state.header);
  state.stream = bytes.Bytes(id_bytes);
  state.floats = GetFloats(bytes, count, floats);
  return bytes.ok() && has_header;
}

}  // namespace

absl::Status GroupReader::Open(absl::string_view bytes) {
  read_ = 0;
  bytes_ = bytes.size();
  ByteReader header(bytes);
  const auto checksum = header.Number<std::uint32_t>();
  const absl::string_view content = header.rest();
  const auto length = header.Number<std::uint32_t>();
  position_ = header.Number<std::uint64_t>();
  previous_ = header.Number<std::uint64_t>();
  entries_ = header.Number<std::uint32_t>();
  header.Number<std::uint32_t>();
  rest_ = header.rest();
  status_ = absl::OkStatus();
  if (!header.ok() || length != bytes.size()) {
    status_ = absl::DataLossError(absl::StrCat("no whole journal group (", bytes.size(), " bytes)"));
  } else if (Crc32c(content) != checksum && !Broken(Break::kSkipChecksums)) {
    status_ = absl::DataLossError(
        absl::StrCat("a journal group does not match its checksum (", bytes.size(), " bytes)"));
  }
  return status_;
}

bool GroupReader::Next(JournalEntry& entry) {
  if (!status_.ok()) return false;
  if (read_ == entries_) {
    return rest_.empty() ? false : Fail(absl::StrCat("goes on for ", rest_.size(), " bytes"));
  }
  ByteReader bytes(rest_);
  entry.kind = bytes.Number<EntryKind>();
  const auto id_bytes = bytes.Number<std::uint8_t>();
  bool good = bytes.ok() && id_bytes > 0 && id_bytes <= group_format::kIdBytes;
  switch (good ? entry.kind : EntryKind{}) {
    case EntryKind::kReading:
      good = GetReading(bytes, id_bytes, entry.reading, floats_);
      entry.stream = entry.reading.stream;
      break;
    case EntryKind::kState:
      good = GetState(bytes, id_bytes, entry.state, floats_);
      entry.stream = entry.state.stream;
      break;
    case EntryKind::kDelete:
    case EntryKind::kReset:
      entry.stream = bytes.Bytes(id_bytes);
      good = bytes.ok();
      break;
    default:
      good = false;
  }
  if (!good) return Fail(absl::StrCat("cannot be read at entry ", read_, " of ", entries_));
  rest_ = bytes.rest();
  ++read_;
  return true;
}

bool GroupReader::Fail(absl::string_view what) {
  status_ = absl::DataLossError(absl::StrCat("journal group ", position_, " ", what));
  return false;
}

}  // namespace tidegate
