#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>

#include "absl/strings/string_view.h"
#include "server/store/group_format.h"
#include "server/store/journal_entry.h"

namespace tidegate {

// Collects the entries of one journal group, as the bytes that will be stored. Reused: after Store::Submit it
// is empty, and once its buffers have grown nothing is allocated. Owned by one thread; not thread-safe.
class GroupWriter {
 public:
  GroupWriter() { Clear(); }

  // Require 1 to 128 bytes of id, a model number and a count of values below 65,536.
  void AddReading(const JournalReading& reading);
  void AddState(const JournalState& state);
  void AddDelete(absl::string_view stream) { AddName(EntryKind::kDelete, stream); }
  void AddReset(absl::string_view stream) { AddName(EntryKind::kReset, stream); }

  bool empty() const { return entries_ == 0; }
  std::size_t entries() const { return entries_; }
  std::size_t bytes() const { return size_; }

  void Clear() {
    size_ = group_format::kHeaderBytes;
    entries_ = 0;
  }

  // For the journal: the group at a position behind another one, with its checksum. Holds until the next
  // change.
  absl::string_view Seal(std::uint64_t position, std::uint64_t previous);

  friend void swap(GroupWriter& a, GroupWriter& b) noexcept {
    a.buffer_.swap(b.buffer_);
    std::swap(a.size_, b.size_);
    std::swap(a.entries_, b.entries_);
  }

 private:
  void AddName(EntryKind kind, absl::string_view stream);
  char* Extend(std::size_t bytes);  // where that many bytes are to be written

  std::string buffer_;  // the first size_ bytes count
  std::size_t size_ = 0;
  std::uint32_t entries_ = 0;
};

}  // namespace tidegate
