#pragma once

#include <cstdint>
#include <span>

#include "absl/strings/string_view.h"
#include "engine/stream/stream.h"

namespace tidegate {

// What happened to one stream, as the journal keeps it. The numbers are part of the format.
enum class EntryKind : std::uint8_t {
  kReading = 1,  // a reading was decided
  kState = 2,    // the whole stream was put from outside: an import or a fork
  kDelete = 3,   // the stream was forgotten
  kReset = 4,    // the stream begins anew with its next reading
};

// A reading with what was decided of it, so that a replay comes to the same state whatever the clock says.
// Model numbers are those of the store's table of models.
struct JournalReading {
  absl::string_view stream;  // 1-128 bytes
  std::uint32_t model = 0;
  std::int64_t timestamp_ns = 0;
  std::uint64_t sequence = 0;
  bool accept_gap = false;
  Outcome outcome = Outcome::kApplied;
  Reason reason = Reason::kNone;
  std::span<const float> values;  // [F], NaN: missing
};

// A whole stream, as put from outside.
struct JournalState {
  absl::string_view stream;
  std::uint32_t model = 0;
  StreamHeader header;
  std::span<const float> floats;  // [StreamFloats]
};

// One entry as read: what its kind says is filled, and points into the reader that it came from.
struct JournalEntry {
  EntryKind kind = EntryKind::kReading;
  absl::string_view stream;  // of every kind
  JournalReading reading;
  JournalState state;
};

}  // namespace tidegate
