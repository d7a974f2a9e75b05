#include "server/store/read_store.h"

#include <algorithm>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/store/segments.h"
#include "server/store/state_reader.h"

namespace tidegate {
namespace {

constexpr char kAdvice[] = "; restore a backup";

absl::Status WithAdvice(const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(status.message(), kAdvice));
}

}  // namespace

absl::Status ReadStatesOf(const Database& database, std::span<const absl::string_view> ids,
                          std::span<bool> found, std::span<StoredState> states) {
  std::vector<rocksdb::Slice> keys(ids.size());
  std::vector<rocksdb::PinnableSlice> values(ids.size());
  std::vector<rocksdb::Status> statuses(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) keys[i] = Slice(ids[i]);
  database.db->MultiGet(rocksdb::ReadOptions(), database.state(), keys.size(), keys.data(), values.data(),
                        statuses.data());
  for (std::size_t i = 0; i < ids.size(); ++i) {
    found[i] = false;
    states[i].position = 0;
    if (statuses[i].IsNotFound()) continue;
    if (!statuses[i].ok()) return StatusOf(statuses[i], absl::StrCat("reading the state of '", ids[i], "'"));
    if (absl::Status s = ReadStateRecord(ids[i], View(values[i]), states[i]); !s.ok()) return WithAdvice(s);
    found[i] = !states[i].deleted;
  }
  return absl::OkStatus();
}

absl::Status ReadAllStates(const Database& database,
                           const std::function<absl::Status(absl::string_view, const StoredState&)>& each,
                           absl::string_view from) {
  StateReader reader(database, from);
  StoredState state;
  while (reader.Next()) {
    if (absl::Status s = ReadStateRecord(reader.id(), reader.record(), state); !s.ok()) return WithAdvice(s);
    if (absl::Status s = each(reader.id(), state); !s.ok()) return s;
  }
  return reader.status();
}

absl::Status ReadJournal(const StoreFiles& files, std::uint64_t position, std::uint64_t end,
                         const std::function<absl::Status(GroupReader&, double)>& each) {
  auto segments = ListSegments(*files.system, files.database);
  if (!segments.ok()) return segments.status();
  std::erase_if(*segments, [&](const Segment& segment) { return segment.first > end; });
  if (end <= position) return absl::OkStatus();
  std::uint64_t first = 0;
  JournalScan scan;
  absl::Status status = ReadSegments(
      *files.system, *segments, position,
      [&](GroupReader& group) -> absl::Status {
        if (first == 0) first = group.position();
        if (group.position() > end) return absl::OkStatus();
        const double done =
            end == first ? 1
                         : static_cast<double>(group.position() - first) / static_cast<double>(end - first);
        if (absl::Status s = each(group, done); !s.ok()) return s;
        return group.status().ok() ? absl::OkStatus() : WithAdvice(group.status());
      },
      scan);
  if (!status.ok() || scan.end >= end) return status;
  return absl::DataLossError(absl::StrCat("the journal misses groups between ", std::max(scan.end, position),
                                          " and ", end, scan.damage.empty() ? "" : ": ", scan.damage,
                                          kAdvice));
}

}  // namespace tidegate
