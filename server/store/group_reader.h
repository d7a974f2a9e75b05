#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "server/store/journal_entry.h"

namespace tidegate {

// Reads a journal group from any bytes; no length in them is trusted. Not thread-safe.
//   GroupReader reader;
//   absl::Status status = reader.Open(bytes);
//   for (JournalEntry entry; status.ok() && reader.Next(entry);) ...
//   if (status.ok()) status = reader.status();
class GroupReader {
 public:
  // Checks the group's length and checksum. `bytes` must outlive the reading. DataLoss: they are not what
  // GroupWriter::Seal made.
  absl::Status Open(absl::string_view bytes);

  // The next entry; what it points at holds until the next call. False: no more, or damaged, see status().
  bool Next(JournalEntry& entry);
  const absl::Status& status() const { return status_; }

  std::uint64_t position() const { return position_; }
  std::uint64_t previous() const { return previous_; }  // position of the group before it, 0: the first
  std::size_t entries() const { return entries_; }
  std::size_t bytes() const { return bytes_; }

 private:
  bool Fail(absl::string_view what);

  std::uint64_t position_ = 0;
  std::uint64_t previous_ = 0;
  std::size_t entries_ = 0;
  std::size_t bytes_ = 0;
  std::size_t read_ = 0;
  absl::string_view rest_;
  std::vector<float> floats_;
  absl::Status status_;
};

}  // namespace tidegate
