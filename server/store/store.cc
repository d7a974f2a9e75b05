#include "server/store/store.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/strings/str_cat.h"
#include "server/store/backup.h"
#include "server/store/broken.h"
#include "server/store/error_watch.h"
#include "server/store/free_space.h"
#include "server/store/journal.h"
#include "server/store/meta.h"
#include "server/store/open_store.h"
#include "server/store/read_store.h"
#include "server/store/rocks.h"
#include "server/store/segments.h"
#include "server/store/state_writer.h"
#include "server/store/store_format.h"

namespace tidegate {
namespace {

constexpr std::size_t kWriteBytes = std::size_t{1} << 20;  // of states that are written at once

}  // namespace

struct Store::Parts {
  Parts(StoreOptions o) : options(std::move(o)), files(options) {}
  ~Parts() {
    watch.Stop();
    states.reset();
    journal.reset();
  }

  // Does what may fail the store: an error is the store's end.
  absl::Status Fatal(absl::Status status) {
    if (!status.ok()) journal->Fail(status);
    return status;
  }
  absl::Status WriteSynced(rocksdb::WriteBatch& batch, absl::string_view task) {
    if (absl::Status s = journal->status(); !s.ok()) return s;
    const std::uint64_t sequence = opened.database->db->GetLatestSequenceNumber() + 1;  // or higher
    rocksdb::WriteOptions write;
    write.sync = true;
    const rocksdb::Status written = opened.database->db->Write(write, &batch);
    if (absl::Status s = Fatal(StatusOf(written, task)); !s.ok()) return s;
    return Fatal(journal->NoteSequence(sequence));
  }

  const StoreOptions options;
  const StoreFiles files;
  ErrorWatch watch;
  OpenedStore opened;
  std::unique_ptr<Journal> journal;
  std::unique_ptr<StateWriter> states;
  std::unique_ptr<FreeSpace> space;

  std::mutex checkpoint_mutex;  // held while a checkpoint is finished or a backup made
  mutable std::mutex mutex ABSL_ACQUIRED_AFTER(checkpoint_mutex);
  std::vector<StoredModel> models ABSL_GUARDED_BY(mutex);
  std::uint64_t begun_bytes ABSL_GUARDED_BY(mutex) = 0;  // of the journal when the last checkpoint began
  std::uint64_t done_bytes ABSL_GUARDED_BY(mutex) = 0;   // the same of the last that was finished
  std::atomic<std::uint64_t> states_written{0}, states_read{0};
};

Store::Store(std::unique_ptr<Parts> parts, StoreOpening opening)
    : parts_(std::move(parts)), opening_(std::move(opening)) {}
Store::~Store() = default;

absl::StatusOr<std::unique_ptr<Store>> Store::Open(StoreOptions options) {
  auto parts = std::make_unique<Parts>(std::move(options));
  const std::string boot_id = BootId(parts->options);
  auto opened = OpenStore(parts->options, parts->files, boot_id, parts->watch.listener());
  if (!opened.ok()) return opened.status();
  parts->opened = *std::move(opened);
  OpenedStore& store = parts->opened;
  StoreOpening opening{.store_id = store.meta.store_id,
                       .created = store.created,
                       .clean = store.meta.closed == store.meta.opened && store.lost.empty() &&
                                store.journal_end <= store.meta.checkpoint,
                       .checkpoint = store.meta.checkpoint,
                       .journal_end = store.journal_end,
                       .replay_bytes = store.journal.bytes,
                       .states = {},
                       .lost = store.lost};
  if (opening.clean) opening.states = store.meta.states;
  // Positions of this opening are above all that there ever were, whatever of them is left.
  const JournalEnd::Mark& mark = store.end->found();
  const std::uint64_t highest = std::max({store.journal_end, mark.written, mark.synced});
  const std::uint64_t number = std::max(store.meta.opened, store_format::OpeningOf(highest)) + 1;
  parts->journal = std::make_unique<Journal>(parts->options, parts->files, boot_id, *store.end,
                                             number * store_format::kPositionsPerOpening, store.journal_end);
  parts->states = std::make_unique<StateWriter>(parts->options, *store.database, *parts->journal);
  parts->space =
      std::make_unique<FreeSpace>(parts->files.system, parts->options.folder, parts->options.reserve_bytes);
  {
    const std::lock_guard lock(parts->mutex);
    parts->models = store.meta.models;
  }
  rocksdb::WriteBatch batch;
  PutOpened(*store.database, number, batch);
  if (absl::Status s = parts->WriteSynced(batch, "opening the store"); !s.ok()) return s;
  store.meta.opened = number;
  parts->watch.Start([journal = parts->journal.get()](const absl::Status& error) { journal->Fail(error); });
  return std::unique_ptr<Store>(new Store(std::move(parts), std::move(opening)));
}

std::vector<StoredModel> Store::models() const {
  const std::lock_guard lock(parts_->mutex);
  return parts_->models;
}

absl::StatusOr<std::uint32_t> Store::AddModel(const std::string& name, std::uint64_t version,
                                              const std::string& checksum, const std::string& build) {
  const std::lock_guard lock(parts_->mutex);
  StoredModel model{.number = 0, .name = name, .version = version, .checksum = checksum, .build = build};
  for (; model.number < parts_->models.size(); ++model.number) {
    if (parts_->models[model.number] == model) return model.number;
  }
  if (model.number > kLastModel) {
    return absl::ResourceExhaustedError(
        absl::StrCat("the store's table of models is full (", kLastModel + 1, ")"));
  }
  rocksdb::WriteBatch batch;
  PutModel(*parts_->opened.database, model, batch);
  if (absl::Status s = parts_->WriteSynced(batch, absl::StrCat("storing model '", name, "'")); !s.ok()) {
    return s;
  }
  parts_->models.push_back(model);
  return model.number;
}

std::unique_ptr<Store::Submitter> Store::AddSubmitter(Through through) {
  return parts_->journal->AddSubmitter(std::move(through));
}

absl::Status Store::status() const { return parts_->journal->status(); }

absl::Status Store::WriteStates(StateBatch& batch) {
  if (absl::Status s = Broken(Break::kStateBeforeJournal) ? parts_->journal->status()
                                                          : parts_->journal->WaitFor(batch.last_position());
      !s.ok()) {
    return s;
  }
  batch.Sort();
  rocksdb::WriteBatch writes;
  rocksdb::ColumnFamilyHandle* const family = parts_->opened.database->state();
  for (const StateBatch::Row& row : batch.rows()) {
    const rocksdb::Status put = writes.Put(family, Slice(batch.id(row)), Slice(batch.record(row)));
    if (!put.ok()) return parts_->Fatal(StatusOf(put, "collecting states"));
    if (writes.GetDataSize() < kWriteBytes && &row != &batch.rows().back()) continue;
    if (absl::Status s = parts_->Fatal(parts_->states->Write(writes)); !s.ok()) return s;
    writes.Clear();
  }
  parts_->states_written.fetch_add(batch.size(), std::memory_order_relaxed);
  batch.Clear();
  return absl::OkStatus();
}

void Store::WaitForStateRoom() { parts_->states->WaitForRoom(); }

absl::Status Store::ReadStates(std::span<const absl::string_view> ids, std::span<bool> found,
                               std::span<StoredState> states) {
  parts_->states_read.fetch_add(ids.size(), std::memory_order_relaxed);
  return ReadStatesOf(*parts_->opened.database, ids, found, states);
}

absl::Status Store::ForEachState(
    const std::function<absl::Status(absl::string_view, const StoredState&)>& each, absl::string_view from) {
  return ReadAllStates(*parts_->opened.database, each, from);
}

std::uint64_t Store::BeginCheckpoint() {
  const StoreCounts now = counts();
  const std::lock_guard lock(parts_->mutex);
  parts_->begun_bytes = now.journal_bytes;
  return parts_->journal->last();
}

// The new position and the states become durable in one step, the flush.
absl::Status Store::FinishCheckpoint(std::uint64_t position) {
  const std::lock_guard one(parts_->checkpoint_mutex);
  if (absl::Status s = parts_->journal->WaitFor(position); !s.ok()) return s;
  rocksdb::WriteBatch batch;
  PutCheckpoint(*parts_->opened.database, position, batch);
  if (absl::Status s = parts_->Fatal(parts_->states->Write(batch)); !s.ok()) return s;
  if (absl::Status s = parts_->Fatal(parts_->states->Flush()); !s.ok()) return s;
  parts_->opened.database->checkpoint->store(position);
  {
    const std::lock_guard lock(parts_->mutex);
    parts_->done_bytes = parts_->begun_bytes;
  }
  if (parts_->options.keep_journal) return absl::OkStatus();
  return parts_->Fatal(TrimSegments(*parts_->files.system, parts_->files.database, position));
}

absl::Status Store::Replay(std::uint64_t position,
                           const std::function<absl::Status(GroupReader&, double)>& each) {
  return ReadJournal(parts_->files, position, opening_.journal_end, each);
}

bool Store::SpaceIsLow() { return parts_->space->IsLow(); }

StoreCounts Store::counts() const {
  StoreCounts counts;
  parts_->journal->Count(counts);
  counts.states_written = parts_->states_written.load(std::memory_order_relaxed);
  counts.states_read = parts_->states_read.load(std::memory_order_relaxed);
  const std::lock_guard lock(parts_->mutex);
  counts.journal_pending = counts.journal_bytes - parts_->done_bytes;
  return counts;
}

absl::Status Store::Backup(const std::string& folder, const std::atomic<bool>& stop) {
  const std::lock_guard one(parts_->checkpoint_mutex);  // so that no journal file goes meanwhile
  if (absl::Status s = parts_->Fatal(parts_->states->Flush()); !s.ok()) return s;
  return WriteBackup(*parts_->opened.database, parts_->options, *parts_->journal, folder, stop);
}

absl::Status Store::Close(std::uint64_t states) {
  if (absl::Status s = parts_->Fatal(parts_->states->Flush()); !s.ok()) return s;
  rocksdb::WriteBatch batch;
  PutClosed(*parts_->opened.database, parts_->opened.meta.opened, states, batch);
  if (absl::Status s = parts_->WriteSynced(batch, "closing the store"); !s.ok()) return s;
  return parts_->Fatal(parts_->journal->NoteSequence(0, /*sync=*/true));
}

}  // namespace tidegate
