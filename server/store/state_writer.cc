#include "server/store/state_writer.h"

#include "absl/time/clock.h"
#include "server/store/broken.h"

namespace tidegate {
namespace {

constexpr absl::Duration kSyncInterval = absl::Seconds(1);
constexpr absl::Duration kPoll = absl::Milliseconds(1);

}  // namespace

StateWriter::StateWriter(const StoreOptions& options, const Database& database, Journal& journal)
    : buffer_bytes_(options.state_buffer_bytes),
      sync_often_(options.durability == Durability::kProcess),
      database_(database),
      journal_(journal),
      thread_([this] { Run(); }) {}

StateWriter::~StateWriter() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

absl::Status StateWriter::Write(rocksdb::WriteBatch& batch) {
  {
    const auto room = [this] { return bytes_ < 2 * buffer_bytes_ || over_; };
    std::unique_lock lock(mutex_);
    changed_.wait(lock, room);
  }
  // Taken before they count, as a flush forgets what was counted until then.
  const std::shared_lock states(states_mutex_);
  {
    const std::lock_guard lock(mutex_);
    bytes_ += batch.GetDataSize();
    if (bytes_ >= buffer_bytes_) changed_.notify_all();
  }
  if (absl::Status s = journal_.status(); !s.ok()) return s;
  rocksdb::WriteOptions write;
  write.disableWAL = true;
  return StatusOf(database_.db->Write(write, &batch), "writing states");
}

void StateWriter::WaitForRoom() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return bytes_ < buffer_bytes_ || over_; });
}

absl::Status StateWriter::Flush() {
  const std::lock_guard one(flush_mutex_);
  std::uint64_t sequence = 0;
  // Most of the journal is synced before anyone is kept waiting.
  if (absl::Status s = journal_.Sync(); !s.ok()) return s;
  if (absl::Status s = BeginFlush(sequence); !s.ok()) return s;
  if (absl::Status s = WaitForFlush(); !s.ok()) return s;
  return journal_.NoteSequence(sequence);
}

// States that are written from here on are not in this flush, so all of it is of groups that are synced.
absl::Status StateWriter::BeginFlush(std::uint64_t& sequence) {
  const std::lock_guard states(states_mutex_);
  if (!Broken(Break::kStateBeforeJournal)) {
    if (absl::Status s = journal_.Sync(); !s.ok()) return s;
  }
  sequence = database_.db->GetLatestSequenceNumber();
  rocksdb::FlushOptions options;
  options.wait = false;
  options.allow_write_stall = true;
  const rocksdb::Status begun = database_.db->Flush(options, {database_.state(), database_.meta()});
  const std::lock_guard lock(mutex_);
  bytes_ = 0;
  changed_.notify_all();
  return StatusOf(begun, "flushing the store");
}

absl::Status StateWriter::WaitForFlush() {
  for (;;) {
    if (absl::Status s = journal_.status(); !s.ok()) return s;
    std::uint64_t waiting = 0;
    for (rocksdb::ColumnFamilyHandle* family : {database_.state(), database_.meta()}) {
      std::uint64_t tables = 0;
      database_.db->GetIntProperty(family, rocksdb::DB::Properties::kNumImmutableMemTable, &tables);
      waiting += tables;
    }
    if (waiting == 0) return absl::OkStatus();
    absl::SleepFor(kPoll);
  }
}

void StateWriter::Run() {
  const auto due = [this] { return stopping_ || bytes_ >= buffer_bytes_; };
  for (;;) {
    bool flush = false;
    {
      std::unique_lock lock(mutex_);
      flush = changed_.wait_for(lock, absl::ToChronoNanoseconds(kSyncInterval), due);
      if (stopping_) return;
    }
    absl::Status status;
    if (flush) status = Flush();
    if (!flush && sync_often_) status = journal_.Sync();
    if (status.ok()) continue;
    journal_.Fail(status);
    const std::lock_guard lock(mutex_);
    over_ = true;
    changed_.notify_all();
    return;
  }
}

}  // namespace tidegate
