#include "server/store/group_writer.h"

#include <algorithm>
#include <cassert>

#include "server/store/bytes.h"
#include "server/store/crc32c.h"
#include "server/store/stream_header_codec.h"

namespace tidegate {
namespace {

char* PutStart(char* at, EntryKind kind, absl::string_view stream) {
  assert(!stream.empty() && stream.size() <= group_format::kIdBytes);
  at = PutNumber(at, kind);
  return PutNumber(at, static_cast<std::uint8_t>(stream.size()));
}

}  // namespace

void GroupWriter::AddReading(const JournalReading& reading) {
  const std::size_t bytes = group_format::kReadingBytes + reading.stream.size() + reading.values.size_bytes();
  char* at = PutStart(Extend(bytes), EntryKind::kReading, reading.stream);
  at = PutNumber(at, static_cast<std::uint8_t>(reading.accept_gap ? group_format::kAcceptGap : 0));
  at = PutNumber(at, reading.outcome);
  at = PutNumber(at, reading.reason);
  at = PutNumber(at, std::uint8_t{0});
  at = PutNumber(at, static_cast<std::uint16_t>(reading.model));
  at = PutNumber(at, static_cast<std::uint16_t>(reading.values.size()));
  at = PutNumber(at, reading.timestamp_ns);
  at = PutNumber(at, reading.sequence);
  at = PutBytes(at, reading.stream.data(), reading.stream.size());
  PutBytes(at, reading.values.data(), reading.values.size_bytes());
}

void GroupWriter::AddState(const JournalState& state) {
  const std::size_t bytes = group_format::kStateBytes + state.stream.size() + state.floats.size_bytes();
  char* at = PutStart(Extend(bytes), EntryKind::kState, state.stream);
  at = PutNumber(at, static_cast<std::uint16_t>(state.model));
  at = PutNumber(at, static_cast<std::uint32_t>(state.floats.size()));
  at = PutStreamHeader(at, state.header);
  at = PutBytes(at, state.stream.data(), state.stream.size());
  PutBytes(at, state.floats.data(), state.floats.size_bytes());
}

void GroupWriter::AddName(EntryKind kind, absl::string_view stream) {
  char* at = PutStart(Extend(group_format::kNameBytes + stream.size()), kind, stream);
  PutBytes(at, stream.data(), stream.size());
}

char* GroupWriter::Extend(std::size_t bytes) {
  const std::size_t begin = size_;
  size_ += bytes;
  ++entries_;
  if (size_ > buffer_.size()) buffer_.resize(std::max(size_, 2 * buffer_.size()));
  return buffer_.data() + begin;
}

absl::string_view GroupWriter::Seal(std::uint64_t position, std::uint64_t previous) {
  if (buffer_.size() < size_) buffer_.resize(size_);  // no entries
  char* at = buffer_.data() + group_format::kChecksumBytes;
  at = PutNumber(at, static_cast<std::uint32_t>(size_));
  at = PutNumber(at, position);
  at = PutNumber(at, previous);
  at = PutNumber(at, entries_);
  PutNumber(at, std::uint32_t{0});
  const absl::string_view group(buffer_.data(), size_);
  PutNumber(buffer_.data(), Crc32c(group.substr(group_format::kChecksumBytes)));
  return group;
}

}  // namespace tidegate
