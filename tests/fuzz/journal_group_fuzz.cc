// Bytes as a journal group and as a stream's state: no length in them is trusted, and what can be read is
// written again as the same bytes.

#include <string>
#include <vector>

#include "server/store/group_format.h"
#include "server/store/group_reader.h"
#include "server/store/group_writer.h"
#include "server/store/stored_state.h"
#include "tests/fuzz/fuzz_target.h"

namespace tidegate {
namespace {

void Add(const JournalEntry& entry, GroupWriter& group) {
  switch (entry.kind) {
    case EntryKind::kReading:
      return group.AddReading(entry.reading);
    case EntryKind::kState:
      return group.AddState(entry.state);
    case EntryKind::kDelete:
      return group.AddDelete(entry.stream);
    case EntryKind::kReset:
      return group.AddReset(entry.stream);
  }
}

// Gives bytes the length and the checksum that they would have, so that the rest of them is looked at.
std::string Sealed(absl::string_view input) {
  GroupWriter empty;
  std::string group(empty.Seal(2, 1));
  group.append(input.data(), input.size());
  return group;
}

void FuzzGroup(absl::string_view bytes, bool trusted) {
  GroupReader reader;
  absl::Status status = reader.Open(bytes);
  Require(trusted || status.ok() || reader.status() == status, "an error stays");
  GroupWriter again;
  std::size_t entries = 0;
  for (JournalEntry entry; status.ok() && reader.Next(entry); ++entries) Add(entry, again);
  if (!status.ok() || !reader.status().ok()) return;
  Require(entries == reader.entries(), "all entries are read");
  Require(again.Seal(reader.position(), reader.previous()) == bytes, "the same bytes again");
}

}  // namespace

std::vector<std::string> Seeds() {
  GroupWriter group;
  const std::vector<float> values = {1, 2};
  group.AddReading({.stream = "pump", .model = 1, .timestamp_ns = 5, .sequence = 1, .values = values});
  group.AddState({.stream = "fan", .model = 2, .header = {.sequence = 3}, .floats = values});
  group.AddDelete("pump");
  group.AddReset("fan");
  StateBatch states;
  states.Put("pump", 1, 2, {.sequence = 3}, values);
  return {std::string(group.Seal(2, 1)), std::string(group.Seal(2, 1).substr(group_format::kHeaderBytes)),
          std::string(states.record(states.rows()[0])), ""};
}

void Fuzz(absl::string_view input) {
  FuzzGroup(input, /*trusted=*/false);
  const std::string sealed = Sealed(input);
  FuzzGroup(sealed, /*trusted=*/true);
  StoredState state;
  if (!ReadStateRecord("pump", input, state).ok() || state.deleted) return;
  StateBatch again;
  again.Put("pump", state.position, state.model, state.header, state.floats);
  Require(again.record(again.rows()[0]) == input, "the same record again");
}

}  // namespace tidegate
