#include "tests/faults/workload.h"

#include <algorithm>
#include <chrono>

#include "absl/strings/str_cat.h"

namespace tidegate {

Workload::Workload(Store& store, Story& story, Disk& disk, std::uint64_t seed)
    : store_(store), story_(story), disk_(disk), random_(seed), put_(Story::kStreams, 0) {
  for (int i = 0; i < 2; ++i) {
    submitters_.push_back(store.AddSubmitter([this, i](const absl::Status& status, std::uint64_t position) {
      const std::lock_guard lock(mutex_);
      if (!status.ok()) {
        error_ = status;
        ++errors_;
        changed_.notify_all();
        return;
      }
      through_[i] = position;
      for (const std::uint64_t waiting : waiting_[i]) {
        if (waiting <= position) Promise(waiting);
      }
      std::erase_if(waiting_[i], [&](std::uint64_t waiting) { return waiting <= position; });
      changed_.notify_all();
    }));
  }
}

Workload::~Workload() { submitters_.clear(); }

absl::Status Workload::Run(std::size_t actions) {
  for (std::size_t i = 0; i < actions; ++i) {
    if (absl::Status s = Act(); !s.ok()) return s;
  }
  return Settle();
}

absl::Status Workload::Settle() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !error_.ok() || (waiting_[0].empty() && waiting_[1].empty()); });
  return error_;
}

void Workload::Promise(std::uint64_t position) {
  ++promised_;
  disk_.Note(position);
}
std::size_t Workload::promised() const {
  const std::lock_guard lock(mutex_);
  return promised_;
}
std::size_t Workload::WaitForErrors() const {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::chrono::seconds(10), [this] { return errors_ >= 2; });
  return errors_;
}

absl::Status Workload::Act() {
  switch (Below(20)) {
    case 0:
    case 1:
      return PutStates(/*all=*/false);
    case 2:
      return Below(2) == 0 ? Checkpoint() : absl::OkStatus();
    case 3:
      return Below(4) == 0 ? AddModel() : absl::OkStatus();
    case 4:
    case 5:
      return Settle();
    default:
      return Submit();
  }
}

EntryKind Workload::AnyKind(std::size_t stream) {
  const std::size_t kind = Below(20);
  if (kind == 0) return EntryKind::kState;
  if (kind == 1 && story_.exists(stream)) return EntryKind::kDelete;
  if (kind == 2 && story_.exists(stream)) return EntryKind::kReset;
  return EntryKind::kReading;
}

absl::Status Workload::Submit() {
  const std::size_t lane = Below(2);
  for (std::size_t i = 1 + Below(6); i > 0; --i) {
    const std::size_t stream = 2 * Below(Story::kStreams / 2) + lane;
    story_.AddEntry(stream, AnyKind(stream), group_);
  }
  const auto submitted = submitters_[lane]->Submit(group_, /*may_wait=*/++groups_ % 2 == 0);
  if (!submitted.ok()) return submitted.status();
  story_.Submitted(submitted->position);
  const std::lock_guard lock(mutex_);
  if (submitted->durable || submitted->position <= through_[lane]) {
    Promise(submitted->position);
  } else {
    waiting_[lane].push_back(submitted->position);
  }
  return absl::OkStatus();
}

absl::Status Workload::PutStates(bool all) {
  for (std::size_t stream = 0; stream < Story::kStreams; ++stream) {
    const std::uint64_t version = story_.last(stream);
    if (version == put_[stream] || (!all && Below(3) != 0)) continue;
    put_[stream] = version;
    const std::uint64_t position = story_.versions(stream).back().position;
    if (story_.exists(stream)) {
      batch_.Put(Story::Id(stream), position, 0, Story::HeaderOf(version), Story::FloatsOf(stream, version));
    } else {
      batch_.Delete(Story::Id(stream), position);
    }
  }
  return store_.WriteStates(batch_);
}

absl::Status Workload::Checkpoint() {
  const std::uint64_t position = store_.BeginCheckpoint();
  for (std::size_t i = Below(3); i > 0; --i) {
    if (absl::Status s = Submit(); !s.ok()) return s;
  }
  if (absl::Status s = PutStates(/*all=*/true); !s.ok()) return s;
  if (Below(2) == 0) {
    if (absl::Status s = Submit(); !s.ok()) return s;
  }
  return store_.FinishCheckpoint(position);
}

absl::Status Workload::AddModel() {
  story_.ModelAdded();
  const auto number = store_.AddModel(absl::StrCat("model-", random_()), 1, "checksum", "build");
  if (number.ok()) disk_.Note(kModelNote);
  return number.status();
}

}  // namespace tidegate
