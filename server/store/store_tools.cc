#include "server/store/store_tools.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "rocksdb/file_system.h"
#include "server/store/backup.h"
#include "server/store/open_store.h"
#include "server/store/read_store.h"
#include "server/store/segments.h"
#include "server/store/store_format.h"

namespace tidegate {
namespace {

constexpr std::uint64_t kProgress = 1'000'000;  // groups or states between two words of it

using Progress = std::function<void(absl::string_view)>;

void NoteReading(const JournalReading& reading, StoreReport& report) {
  report.earliest_ns = std::min(report.earliest_ns, reading.timestamp_ns);
  report.latest_ns = std::max(report.latest_ns, reading.timestamp_ns);
}

absl::Status InspectJournal(const OpenedStore& store, const StoreFiles& files, const Progress& progress,
                            StoreReport& report) {
  report.earliest_ns = std::numeric_limits<std::int64_t>::max();
  report.latest_ns = std::numeric_limits<std::int64_t>::min();
  JournalEntry entry;
  absl::Status status = ReadJournal(files, store.meta.checkpoint, store.journal_end,
                                    [&](GroupReader& group, double) -> absl::Status {
                                      report.entries += group.entries();
                                      while (group.Next(entry)) {
                                        if (entry.kind == EntryKind::kReading)
                                          NoteReading(entry.reading, report);
                                      }
                                      if (++report.groups % kProgress == 0 && progress)
                                        progress(absl::StrCat(report.groups, " groups"));
                                      return group.status();
                                    });
  if (report.earliest_ns > report.latest_ns) report.earliest_ns = report.latest_ns = 0;
  return status;
}

// What was kept of the journal before the checkpoint (StoreOptions::keep_journal), which no start reads.
absl::Status InspectKeptJournal(const OpenedStore& store, const StoreFiles& files) {
  const auto segments = ListSegments(*files.system, files.database);
  if (!segments.ok() || segments->empty()) return segments.status();
  const auto read = [entry = JournalEntry()](GroupReader& group) mutable {
    while (group.Next(entry)) {
    }
    return group.status();
  };
  JournalScan scan;
  absl::Status status = ReadSegments(*files.system, *segments, segments->front().first - 1, read, scan);
  if (!status.ok() || scan.damage.empty() || scan.end >= store.meta.checkpoint) return status;
  return absl::DataLossError(absl::StrCat("the journal that was kept is damaged, ", scan.damage,
                                          "; no start needs it, but what came then can no longer be proved"));
}

absl::Status InspectStates(const OpenedStore& store, const Progress& progress, StoreReport& report) {
  const std::uint64_t marked = std::max(store.end->found().written, store.end->found().synced);
  report.states = 0;
  report.model_states.assign(report.models.size(), 0);
  return ReadAllStates(*store.database, [&](absl::string_view id, const StoredState& state) -> absl::Status {
    // The states of an opening with --durability none have no groups, and the mark knows none of it.
    if (state.position > store.journal_end &&
        store_format::OpeningOf(state.position) <= store_format::OpeningOf(marked)) {
      return absl::DataLossError(absl::StrCat("the state of stream '", id, "' is of group ", state.position,
                                              ", and the journal ends at ", store.journal_end,
                                              "; restore a backup"));
    }
    if (state.deleted) return absl::OkStatus();
    if (state.model >= report.models.size()) {
      return absl::DataLossError(absl::StrCat("the state of stream '", id, "' is of model number ",
                                              state.model, ", and the table has ", report.models.size(),
                                              "; restore a backup"));
    }
    ++report.model_states[state.model];
    report.state_bytes += id.size() + sizeof(StreamHeader) + state.floats.size() * sizeof(float);
    if (++report.states % kProgress == 0 && progress) progress(absl::StrCat(report.states, " states"));
    return absl::OkStatus();
  });
}

std::uint64_t DiskBytes(const StoreFiles& files) {
  std::vector<std::string> names;
  std::uint64_t total = 0;
  files.system->GetChildren(files.database, {}, &names, nullptr).PermitUncheckedError();
  for (const std::string& name : names) {
    std::uint64_t bytes = 0;
    if (files.system->GetFileSize(absl::StrCat(files.database, "/", name), {}, &bytes, nullptr).ok())
      total += bytes;
  }
  return total;
}

StoreReport Describe(const OpenedStore& store, const StoreFiles& files) {
  StoreReport report;
  report.store_id = store.meta.store_id;
  report.format = store.meta.format;
  report.clean = store.meta.closed == store.meta.opened && store.journal_end <= store.meta.checkpoint;
  report.models = store.meta.models;
  report.checkpoint = store.meta.checkpoint;
  report.journal_end = store.journal_end;
  report.replay_bytes = store.journal_end > store.meta.checkpoint ? store.journal.bytes : 0;
  if (report.clean && store.meta.states) {
    report.states = *store.meta.states;
  } else {  // with those that were overwritten and not yet merged
    rocksdb::TablePropertiesCollection tables;
    store.database->db->GetPropertiesOfAllTables(store.database->state(), &tables).PermitUncheckedError();
    for (const auto& [name, table] : tables) report.states += table->num_entries;
  }
  report.disk_bytes = DiskBytes(files);
  return report;
}

}  // namespace

absl::StatusOr<StoreReport> InspectStore(const StoreOptions& options) {
  const StoreFiles files(options);
  const auto store = OpenStoreReadOnly(options, files, BootId(options));
  if (!store.ok()) return store.status();
  return Describe(*store, files);
}

absl::StatusOr<StoreReport> VerifyStore(const StoreOptions& options, const Progress& progress) {
  const StoreFiles files(options);
  const auto store = OpenStoreReadOnly(options, files, BootId(options));
  if (!store.ok()) return store.status();
  StoreReport report = Describe(*store, files);
  if (absl::Status s = InspectKeptJournal(*store, files); !s.ok()) return s;
  if (absl::Status s = InspectJournal(*store, files, progress, report); !s.ok()) return s;
  if (absl::Status s = InspectStates(*store, progress, report); !s.ok()) return s;
  return report;
}

absl::Status ReadKeptJournal(const StoreOptions& options, std::vector<StoredModel>& models,
                             const std::function<absl::Status(GroupReader&, double)>& each) {
  const StoreFiles files(options);
  const auto store = OpenStoreReadOnly(options, files, BootId(options));
  if (!store.ok()) return store.status();
  models = store->meta.models;
  bool any = false;
  absl::Status status = ReadJournal(files, 0, store->journal_end, [&](GroupReader& group, double done) {
    any = true;
    return each(group, done);
  });
  if (status.ok() || any) return status;
  return absl::FailedPreconditionError(
      absl::StrCat(files.folder, " does not hold its journal from the beginning (", status.message(),
                   "): only a server that was always run with --keep-journal keeps all of it"));
}

absl::Status CompactStore(const StoreOptions& options) {
  const StoreFiles files(options);
  if (!files.system->FileExists(files.database, {}, nullptr).ok()) {
    return absl::NotFoundError(absl::StrCat("there is no store in ", files.folder));
  }
  auto store = OpenStore(options, files, BootId(options), nullptr);
  if (!store.ok()) return store.status();
  rocksdb::CompactRangeOptions compact;
  compact.bottommost_level_compaction = rocksdb::BottommostLevelCompaction::kForce;
  return StatusOf(store->database->db->CompactRange(compact, store->database->state(), nullptr, nullptr),
                  absl::StrCat("compacting ", files.database));
}

absl::Status RestoreStore(const std::string& backup, const std::string& folder, const Progress& progress) {
  StoreOptions options;
  options.folder = backup;
  if (const auto report = VerifyStore(options, progress); !report.ok()) return report.status();
  const StoreFiles files(options);
  if (files.system->FileExists(absl::StrCat(folder, "/store"), {}, nullptr).ok()) {
    return absl::AlreadyExistsError(
        absl::StrCat(folder, " holds a store already: move it away, or name another folder"));
  }
  return CopyStore(*files.system, backup, folder);
}

}  // namespace tidegate
