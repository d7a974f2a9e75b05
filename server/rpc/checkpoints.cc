#include "server/rpc/checkpoints.h"

#include <utility>

#include "server/shard/shard_journal.h"
#include "spdlog/spdlog.h"

namespace tidegate {
namespace {

constexpr std::uint32_t kLongSlice = 512;                  // slots that a loop looks at between two batches
constexpr std::uint32_t kShortSlice = 64;                  // where the loop also writes them
constexpr std::size_t kBatchBytes = std::size_t{8} << 20;  // written together
// What the busiest shard has worked since the last checkpoint; a replay takes less.
constexpr double kMostReplaySeconds = 15;
constexpr std::chrono::milliseconds kLook{200};
constexpr std::chrono::seconds kLong{60};  // that a checkpoint takes is worth a line

}  // namespace

Checkpoints::Checkpoints(Store& store, ServingGroup& group, Metrics& metrics, absl::Duration interval,
                         std::function<void(const absl::Status&)> failed)
    : store_(store), group_(group), metrics_(metrics), interval_(interval), failed_(std::move(failed)) {}

Checkpoints::~Checkpoints() { Stop(); }

void Checkpoints::Start() {
  busy_before_ = BusySeconds();
  thread_ = std::thread([this] { Run(); });
  disk_ = std::thread([this] { WatchDisk(); });
}

void Checkpoints::Stop() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
  }
  changed_.notify_all();
  disk_.join();
  thread_.join();
}

absl::Status Checkpoints::MakeLast() {
  loops_ended_ = true;
  return Make();
}

void Checkpoints::OnLoop(std::size_t index, const std::function<void(ServingLoop&)>& work) {
  ServingLoop& loop = *group_.loops[index];
  if (loops_ended_) return work(loop);
  loop.Do([&] { work(loop); });
}

void Checkpoints::Run() {
  // At once after a crash: else a server that dies again before its first checkpoint replays more each time.
  const bool replayed = store_.opening().journal_end > store_.opening().checkpoint;
  Clock::time_point begun = Clock::now();
  metrics_.store().CheckpointBegins(begun);
  if (replayed) begun -= absl::ToChronoNanoseconds(interval_);
  while (Wait()) {
    if (!IsDue(begun)) continue;
    begun = Clock::now();
    metrics_.store().CheckpointBegins(begun);
    if (auto s = Make(); !s.ok()) return failed_(s);
    const std::chrono::duration<double> took = Clock::now() - begun;
    metrics_.store().checkpoint_seconds.Observe(took.count());
    if (took >= kLong) {
      spdlog::warn("a checkpoint took {:.0f} s: the disk is slow for the states that change", took.count());
    } else {
      spdlog::debug("checkpoint in {:.3f} s", took.count());
    }
  }
}

bool Checkpoints::Wait() {
  std::unique_lock lock(mutex_);
  return !changed_.wait_for(lock, kLook, [this] { return stopping_; });
}

void Checkpoints::WatchDisk() {
  while (Wait()) LookAtDisk();
}

bool Checkpoints::IsDue(Clock::time_point begun) {
  if (Clock::now() - begun >= absl::ToChronoNanoseconds(interval_)) return true;
  return BusySeconds() - busy_before_ >= kMostReplaySeconds;
}

double Checkpoints::BusySeconds() {
  double most = 0;
  for (std::size_t i = 0; i < metrics_.shards(); ++i) most = std::max(most, metrics_.shard(i).busy.seconds());
  return most;
}

void Checkpoints::LookAtDisk() {
  const bool low = store_.SpaceIsLow();
  if (std::exchange(space_is_low_, low) == low) return;
  if (low) {
    spdlog::error("the disk of the store has less free space than is kept in reserve: readings are refused");
  } else {
    spdlog::info("the disk of the store has room again: readings are taken");
  }
  for (std::size_t i = 0; i < group_.loops.size(); ++i) {
    OnLoop(i, [low](ServingLoop& loop) { loop.shard().RefuseReadings(low); });
  }
}

absl::Status Checkpoints::Make() {
  busy_before_ = BusySeconds();
  const std::uint64_t position = store_.BeginCheckpoint();
  for (std::size_t i = 0; i < group_.loops.size(); ++i) {
    if (auto s = PutStreams(i); !s.ok()) return s;
  }
  return store_.FinishCheckpoint(position);
}

absl::Status Checkpoints::PutDeleted(std::size_t loop) {
  absl::flat_hash_set<std::string> deleted;
  std::uint64_t position = 0;
  absl::Status written;
  OnLoop(loop, [&](ServingLoop& there) {
    if (there.shard().cold() != nullptr) {
      written = there.shard().PutDeleted();
      return;
    }
    ShardJournal& journal = *there.shard().journal();
    journal.Submit();
    deleted = journal.TakeDeleted();
    position = journal.position();
  });
  // What begins anew meanwhile is behind this position, and put behind these.
  for (const std::string& id : deleted) {
    batch_.Delete(id, position);
    if (batch_.bytes() < kBatchBytes) continue;
    if (auto s = store_.WriteStates(batch_); !s.ok()) return s;
  }
  return written;
}

absl::Status Checkpoints::PutStreams(std::size_t loop) {
  if (auto s = PutDeleted(loop); !s.ok()) return s;
  absl::Status written;
  StreamKey next;
  for (bool more = true; more;) {
    store_.WaitForStateRoom();
    OnLoop(loop, [&](ServingLoop& there) {
      // What a shard puts out of memory, it writes itself: so must it write what could be older.
      const bool at_once = there.shard().cold() != nullptr;
      more = there.shard().PutChanged(next, at_once ? kShortSlice : kLongSlice, batch_);
      if (at_once && !batch_.empty()) written = store_.WriteStates(batch_);
    });
    if (!written.ok()) return written;
    if (batch_.empty() || (batch_.bytes() < kBatchBytes && more)) continue;
    if (auto s = store_.WriteStates(batch_); !s.ok()) return s;
  }
  return absl::OkStatus();
}

}  // namespace tidegate
