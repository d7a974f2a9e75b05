#include "server/store/journal.h"

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/time/clock.h"
#include "server/store/broken.h"
#include "server/store/bytes.h"

namespace tidegate {
namespace {

// With slower disks a submitter never waits itself: it has answers to give that need no disk.
constexpr absl::Duration kQuick = absl::Milliseconds(1);

constexpr std::size_t kRoomBytes = std::size_t{512} << 10;

}  // namespace

// What a submitting thread holds.
class Journal::Entrance final : public Store::Submitter {
 public:
  Entrance(Journal& journal, std::shared_ptr<Way> way) : journal_(journal), way_(std::move(way)) {}
  ~Entrance() override { journal_.Remove(way_); }
  absl::StatusOr<Submitted> Submit(GroupWriter& group, bool may_wait) override {
    return journal_.Submit(way_, group, may_wait);
  }

 private:
  Journal& journal_;
  std::shared_ptr<Way> way_;
};

Journal::Journal(const StoreOptions& options, const StoreFiles& files, std::string boot_id, JournalEnd& end,
                 std::uint64_t next, std::uint64_t previous)
    : durability_(options.durability),
      on_commit_(options.on_commit),
      segments_(files.system, files.database, options.segment_bytes,
                options.durability == Durability::kPower ? kRoomBytes : 0),
      next_(next),
      last_(previous),
      committed_(previous),
      end_(end),
      mark_{.written = previous, .synced = previous, .sequence = 0, .boot_id = std::move(boot_id)} {
  if (durability_ == Durability::kPower) thread_ = std::thread([this] { Run(); });
}

Journal::~Journal() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    work_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

std::unique_ptr<Store::Submitter> Journal::AddSubmitter(Store::Through through) {
  auto way = std::make_shared<Way>(std::move(through));
  const std::lock_guard lock(mutex_);
  ways_.push_back(way);
  return std::make_unique<Entrance>(*this, std::move(way));
}

// Waits for what the submitter has given, so that nothing is called once it is gone.
void Journal::Remove(const std::shared_ptr<Way>& way) {
  {
    std::unique_lock lock(mutex_);
    while (way->waiting > 0 && failed_.ok()) through_.wait(lock);
    ways_.erase(std::find(ways_.begin(), ways_.end(), way));
  }
  const std::lock_guard lock(way->calling);
  way->through = nullptr;
}

std::uint64_t Journal::last() const {
  const std::lock_guard lock(mutex_);
  return last_;
}

absl::Status Journal::status() const {
  const std::lock_guard lock(mutex_);
  return failed_;
}

void Journal::Count(StoreCounts& counts) const {
  const std::lock_guard lock(mutex_);
  counts.groups = counts_.groups;
  counts.entries = counts_.entries;
  counts.journal_bytes = counts_.journal_bytes;
  counts.commits = counts_.commits;
}

absl::Status Journal::WaitFor(std::uint64_t position) {
  std::unique_lock lock(mutex_);
  while (failed_.ok() && committed_ < std::min(position, last_)) through_.wait(lock);
  return failed_;
}

absl::StatusOr<Store::Submitter::Submitted> Journal::Submit(const std::shared_ptr<Way>& way,
                                                            GroupWriter& group, bool may_wait) {
  absl::Status status;
  std::uint64_t position = 0;
  bool here = false;
  {
    const std::lock_guard lock(mutex_);
    if (!failed_.ok()) return failed_;
    position = next_++;
    const std::uint64_t previous = std::exchange(last_, position);
    ++counts_.groups;
    counts_.entries += group.entries();
    counts_.journal_bytes += group.bytes();
    if (durability_ == Durability::kPower) {
      here = may_wait && waiting_.empty() && !committing_ && last_took_ < kQuick;
      Enqueue(way, group, position, previous, here ? lone_ : waiting_);
      committing_ |= here;
    } else {
      if (durability_ == Durability::kProcess) status = WriteNow(group, position, previous);
      if (status.ok()) committed_ = position;
    }
  }
  group.Clear();
  if (here) status = CommitHere();
  if (!status.ok()) {
    Fail(status);
    return status;
  }
  return Store::Submitter::Submitted{position, here || durability_ != Durability::kPower};
}

// What is in lone_.
absl::Status Journal::CommitHere() {
  if (absl::Status s = Commit(lone_); !s.ok()) return s;  // and nobody commits any more
  const std::lock_guard lock(mutex_);
  Reuse(lone_);
  return absl::OkStatus();
}

void Journal::Enqueue(const std::shared_ptr<Way>& way, GroupWriter& group, std::uint64_t position,
                      std::uint64_t previous, std::vector<Waiting>& groups) {
  Waiting waiting{.group = {}, .position = position, .previous = previous, .way = way};
  if (!spare_.empty()) {
    swap(waiting.group, spare_.back());
    spare_.pop_back();
  }
  swap(waiting.group, group);
  ++way->waiting;
  groups.push_back(std::move(waiting));
  if (&groups == &waiting_) work_.notify_one();
}

// The end of a commit.
void Journal::Reuse(std::vector<Waiting>& groups) {
  for (Waiting& group : groups) {
    --group.way->waiting;
    group.group.Clear();
    spare_.push_back(std::move(group.group));
  }
  groups.clear();
  committing_ = false;
  through_.notify_all();
  if (!waiting_.empty() || stopping_) work_.notify_one();
}

absl::Status Journal::WriteNow(GroupWriter& group, std::uint64_t position, std::uint64_t previous) {
  const auto begin = std::chrono::steady_clock::now();
  const absl::string_view bytes = group.Seal(position, previous);
  ++counts_.commits;
  absl::Status status = segments_.Append(position, bytes);
  if (!status.ok() && !Broken(Break::kIgnoreWriteErrors)) return status;
  const auto took = absl::FromChrono(std::chrono::steady_clock::now() - begin);
  return Note({.groups = 1, .bytes = bytes.size(), .took = took}, {.written = position});
}

void Journal::Run() {
  std::vector<Waiting> groups;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      while (failed_.ok() && (committing_ || (waiting_.empty() && !stopping_))) work_.wait(lock);
      if (waiting_.empty() || !failed_.ok()) return;
      groups.swap(waiting_);
      committing_ = true;
    }
    if (Broken(Break::kStateBeforeJournal)) absl::SleepFor(absl::Milliseconds(5));  // time to be overtaken
    const absl::Status status = Commit(groups);
    if (!status.ok()) return Fail(status);
    Tell(groups);
    const std::lock_guard lock(mutex_);
    Reuse(groups);
  }
}

absl::Status Journal::Commit(std::vector<Waiting>& groups) {
  const auto begin = std::chrono::steady_clock::now();
  JournalCommit commit{.groups = groups.size(), .bytes = 0, .took = {}};
  absl::Status status;
  for (Waiting& group : groups) {
    const absl::string_view bytes = group.group.Seal(group.position, group.previous);
    commit.bytes += bytes.size();
    if (status.ok()) status = segments_.Append(group.position, bytes);
  }
  if (status.ok() && !Broken(Break::kAcknowledgeBeforeSync)) status = segments_.Sync();
  if (!status.ok() && !Broken(Break::kIgnoreWriteErrors)) return status;
  commit.took = absl::FromChrono(std::chrono::steady_clock::now() - begin);
  const std::uint64_t last = groups.back().position;
  status = Note(commit, {.written = last, .synced = Broken(Break::kAcknowledgeBeforeSync) ? 0 : last});
  if (!status.ok()) return status;
  const std::lock_guard lock(mutex_);
  committed_ = last;
  last_took_ = commit.took;
  ++counts_.commits;
  through_.notify_all();
  return failed_;  // meanwhile, by something else
}

// Each submitter once, of its last group.
void Journal::Tell(std::vector<Waiting>& groups) {
  for (auto group = groups.rbegin(); group != groups.rend(); ++group) {
    Way& way = *group->way;
    const std::lock_guard lock(way.calling);
    if (way.told >= group->position) continue;
    way.told = group->position;
    if (way.through) way.through(absl::OkStatus(), group->position);
  }
}

absl::Status Journal::Note(const JournalCommit& commit, const JournalEnd::Mark& mark) {
  if (on_commit_) on_commit_(commit);
  return Mark(mark);
}

absl::Status Journal::Mark(const JournalEnd::Mark& mark, bool sync) {
  const std::lock_guard lock(end_mutex_);
  mark_.written = std::max(mark_.written, mark.written);
  mark_.synced = std::max(mark_.synced, mark.synced);
  mark_.sequence = std::max(mark_.sequence, mark.sequence);
  const absl::Status status = end_.Write(mark_, sync);
  return Broken(Break::kIgnoreWriteErrors) ? absl::OkStatus() : status;
}

absl::Status Journal::Sync() {
  std::uint64_t position = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!failed_.ok()) return failed_;
    position = committed_;
  }
  if (durability_ == Durability::kNone) return absl::OkStatus();
  if (absl::Status s = segments_.Sync(); !s.ok()) return s;
  return Mark({.written = position, .synced = position});
}

absl::Status Journal::NoteSequence(std::uint64_t sequence, bool sync) {
  return Mark({.sequence = sequence}, sync);
}

void Journal::Fail(const absl::Status& status) {
  std::vector<std::shared_ptr<Way>> ways;
  {
    const std::lock_guard lock(mutex_);
    if (!failed_.ok()) return;
    failed_ = status;
    ways = ways_;
    through_.notify_all();
    work_.notify_all();
  }
  for (const std::shared_ptr<Way>& way : ways) {
    const std::lock_guard lock(way->calling);
    if (way->through) std::exchange(way->through, nullptr)(status, 0);
  }
}

}  // namespace tidegate
