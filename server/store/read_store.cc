#include "server/store/read_store.h"

#include <memory>
#include <vector>

#include "absl/strings/str_cat.h"
#include "rocksdb/convenience.h"
#include "server/store/broken.h"
#include "server/store/bytes.h"

namespace tidegate {
namespace {

constexpr char kAdvice[] = "; restore a backup";

absl::Status WithAdvice(const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat(status.message(), kAdvice));
}

rocksdb::ReadOptions Checked() {
  rocksdb::ReadOptions options;
  options.verify_checksums = !Broken(Break::kSkipChecksums);
  return options;
}

// For reading once from one end to the other.
rocksdb::ReadOptions Sequential() {
  rocksdb::ReadOptions options = Checked();
  options.fill_cache = false;
  options.readahead_size = std::size_t{2} << 20;
  return options;
}

}  // namespace

absl::Status ReadStatesOf(const Database& database, std::span<const absl::string_view> ids,
                          std::span<bool> found, std::span<StoredState> states) {
  std::vector<rocksdb::Slice> keys(ids.size());
  std::vector<rocksdb::PinnableSlice> values(ids.size());
  std::vector<rocksdb::Status> statuses(ids.size());
  for (std::size_t i = 0; i < ids.size(); ++i) keys[i] = Slice(ids[i]);
  database.db->MultiGet(Checked(), database.state(), keys.size(), keys.data(), values.data(),
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
  std::unique_ptr<rocksdb::Iterator> at(database.db->NewIterator(Sequential(), database.state()));
  StoredState state;
  for (at->Seek({from.data(), from.size()}); at->Valid(); at->Next()) {
    if (absl::Status s = ReadStateRecord(View(at->key()), View(at->value()), state); !s.ok()) {
      return WithAdvice(s);
    }
    if (absl::Status s = each(View(at->key()), state); !s.ok()) return s;
  }
  if (!at->status().ok()) return StatusOf(at->status(), "reading the states");
  return absl::OkStatus();
}

absl::Status ReadJournal(const Database& database, std::uint64_t position, std::uint64_t end,
                         const std::function<absl::Status(GroupReader&, double)>& each) {
  std::unique_ptr<rocksdb::Iterator> at(database.db->NewIterator(Sequential(), database.journal()));
  GroupReader group;
  std::uint64_t last = position;
  std::uint64_t first = 0;
  const auto missing = [&](std::uint64_t before) {
    return absl::DataLossError(
        absl::StrCat("the journal misses groups between ", last, " and ", before, kAdvice));
  };
  for (at->Seek(PositionKey(position + 1)); at->Valid() && last < end; at->Next()) {
    if (at->key().size() != sizeof(std::uint64_t)) return missing(end);
    const std::uint64_t key = PositionOfKey(View(at->key()));
    if (absl::Status s = group.Open(key, View(at->value())); !s.ok()) return WithAdvice(s);
    if (first == 0 ? group.previous() > position : group.previous() != last) return missing(key);
    if (first == 0) first = key;
    last = key;
    const double done =
        end == first ? 1 : static_cast<double>(key - first) / static_cast<double>(end - first);
    if (absl::Status s = each(group, done); !s.ok()) return s;
    if (!group.status().ok()) return WithAdvice(group.status());
  }
  if (!at->status().ok()) return StatusOf(at->status(), "reading the journal");
  return last < end ? missing(end) : absl::OkStatus();
}

absl::Status DropJournalFiles(const Database& database, std::uint64_t position) {
  const std::string last = PositionKey(position + 1);
  const rocksdb::Slice end(last);
  return StatusOf(rocksdb::DeleteFilesInRange(database.db.get(), database.journal(), nullptr, &end,
                                              /*include_end=*/false),
                  "dropping journal files");
}

}  // namespace tidegate
