#include "server/shard/recovery.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "server/shard/named_streams.h"
#include "server/shard/replayed_readings.h"
#include "server/store/broken.h"

namespace tidegate {
namespace {

constexpr std::size_t kBroughtTogether = 1024;   // streams that entries bring back, maybe for nothing
constexpr std::size_t kReplayedTogether = 8192;  // readings: enough that their streams form whole batches

absl::Status Stopped() { return absl::CancelledError("stopped while streams were brought back"); }

absl::Status Damaged(absl::string_view id, absl::string_view what) {
  return absl::DataLossError(absl::StrCat("stream '", id, "': ", what, "; restore a backup"));
}

}  // namespace

Recovery::Recovery(Shard& shard, ShardJournal& journal, std::span<const std::uint32_t> models,
                   std::size_t index, std::size_t shards)
    : shard_(shard),
      journal_(journal),
      store_(journal.store()),
      models_(models.begin(), models.end()),
      index_(index),
      shards_(shards),
      reached_(shard.models()) {
  waiting_.reserve(reached_.size());
  for (std::uint32_t m = 0; m < reached_.size(); ++m)
    waiting_.push_back(std::make_unique<ReplayedReadings>(m));
}

Recovery::~Recovery() = default;

absl::Status Recovery::Run(const std::atomic<bool>& stop) {
  if (shard_.cold() == nullptr) {
    if (auto s = LoadStates(stop); !s.ok()) return s;
  }
  const StoreOpening& opening = store_.opening();
  if (opening.journal_end > opening.checkpoint) {
    bool skips = Broken(Break::kSkipGroup);
    const auto each = [&](GroupReader& group, double done) {
      done_.store(done, std::memory_order_relaxed);
      if (skips && done >= 0.5) {
        skips = false;
        return absl::OkStatus();
      }
      return stop ? Stopped() : ReplayGroup(group);
    };
    if (auto s = store_.Replay(opening.checkpoint, each); !s.ok()) return s;
    if (auto s = Flush(); !s.ok()) return s;
  }
  journal_.Replayed(opening.journal_end);
  done_ = 1;
  reached_.clear();
  return absl::OkStatus();
}

absl::Status Recovery::LoadStates(const std::atomic<bool>& stop) {
  return store_.ForEachState([&](absl::string_view id, const StoredState& state) {
    if (stop) return Stopped();
    return Owns(id) ? Load(id, state) : absl::OkStatus();
  });
}

void Recovery::LeaveOut(absl::string_view id, std::uint64_t position) {
  if (Owns(id)) left_out_[id] = position;
}

absl::Status Recovery::Load(absl::string_view id, const StoredState& state) {
  if (state.deleted) {
    deleted_[std::string(id)] = state.position;
    return absl::OkStatus();
  }
  const std::uint32_t model = state.model < models_.size() ? models_[state.model] : kNoModel;
  if (model == kNoModel) {
    left_out_[id] = state.position;
    return absl::OkStatus();
  }
  const Model& made_by = shard_.model({.model = static_cast<std::uint16_t>(model)});
  const bool fits = state.header.steps > 0 ? IsStream(made_by, state.header, state.floats)
                                           : state.floats.size() == StreamFloats(made_by);
  if (!fits) return Damaged(id, absl::StrCat("its state is not one of model '", made_by.spec().name, "'"));
  reached(shard_.Restore(id, model, state.header, state.floats)) = state.position;
  return absl::OkStatus();
}

absl::Status Recovery::ReplayGroup(GroupReader& group) {
  // Of a stream that is put out meanwhile, the state would be of a part of the group.
  shard_.StayInMemory(true);
  for (JournalEntry entry; group.Next(entry);) {
    if (!Owns(entry.stream)) continue;
    if (auto s = Apply(entry, group.position()); !s.ok()) return s;
  }
  shard_.StayInMemory(false);
  journal_.Replayed(group.position());
  std::size_t waiting = 0;
  for (const auto& readings : waiting_) waiting += readings->size();
  if (group.status().ok() && (waiting >= kReplayedTogether || brought_ >= kBroughtTogether)) return Flush();
  return group.status();
}

absl::Status Recovery::Apply(const JournalEntry& entry, std::uint64_t position) {
  if (entry.kind == EntryKind::kReading) return ApplyReading(entry.reading, position);
  // What comes before it is to be done before it.
  if (auto s = Flush(); !s.ok()) return s;
  if (entry.kind == EntryKind::kState) return ApplyState(entry.state, position);
  if (entry.kind == EntryKind::kDelete) {
    ApplyDelete(entry.stream, position);
  } else if (const auto key = Find(entry.stream); key && reached(*key) < position) {
    shard_.Reset(*key);
  }
  return absl::OkStatus();
}

void Recovery::ApplyDelete(absl::string_view id, std::uint64_t position) {
  if (const auto left_out = left_out_.find(id); left_out != left_out_.end()) {
    if (left_out->second >= position) return;
    left_out_.erase(left_out);
  } else {
    const auto key = Find(id);
    if (!key || reached(*key) >= position) return;
    shard_.Delete(*key);
  }
  journal_.AddDeleted(id);
}

void Recovery::NoteLeftOut(absl::string_view id, std::uint64_t position) {
  const auto key = Find(id);
  if (key ? reached(*key) < position : !IsPast(id, position)) left_out_[id] = position;
}

absl::Status Recovery::ApplyReading(const JournalReading& reading, std::uint64_t position) {
  const std::uint32_t model = reading.model < models_.size() ? models_[reading.model] : kNoModel;
  if (model == kNoModel) {
    NoteLeftOut(reading.stream, position);
    return absl::OkStatus();
  }
  auto key = Find(reading.stream);
  if (!key) {
    if (IsPast(reading.stream, position)) return absl::OkStatus();
    key = Begin(reading.stream, model);
  }
  if (reached(*key) >= position) return absl::OkStatus();
  if (reading.model < refused_.size() && !refused_[reading.model].empty())
    return absl::FailedPreconditionError(refused_[reading.model]);
  if (key->model != model || reading.values.size() != shard_.model(*key).spec().features.size())
    return Damaged(reading.stream,
                   absl::StrCat("journal group ", position, " has a reading of another model"));
  waiting_[model]->Add(*key, reading, position);
  readings_.store(readings_.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed);
  return absl::OkStatus();
}

absl::Status Recovery::ApplyState(const JournalState& state, std::uint64_t position) {
  const std::uint32_t model = state.model < models_.size() ? models_[state.model] : kNoModel;
  if (model == kNoModel) {
    NoteLeftOut(state.stream, position);
    return absl::OkStatus();
  }
  auto key = Find(state.stream);
  if (key && reached(*key) >= position) return absl::OkStatus();
  if (!key) {
    if (IsPast(state.stream, position)) return absl::OkStatus();
    key = Begin(state.stream, model);
  }
  if (key->model != model || state.floats.size() != StreamFloats(shard_.model(*key)))
    return Damaged(state.stream, absl::StrCat("journal group ", position, " has a state of another model"));
  shard_.Replace(*key, state.header, state.floats);
  return absl::OkStatus();
}

absl::Status Recovery::Flush() {
  // All together: a stream whose readings the shard does not have yet could be put out of memory.
  for (const auto& readings : waiting_) {
    if (readings->size() > 0) readings->Admit(shard_);
  }
  brought_ = 0;
  while (!shard_.idle()) shard_.Run(finished_);
  finished_.clear();
  for (const auto& readings : waiting_) {
    if (auto s = readings->Check(shard_.table()); !s.ok()) return s;
  }
  return absl::OkStatus();
}

std::optional<StreamKey> Recovery::Find(absl::string_view id) {
  if (shard_.cold() == nullptr) return shard_.table().Find(id);
  if (const auto key = shard_.table().Find(id)) return key;
  std::uint64_t position = 0;
  const auto key = shard_.Find(id, &position);
  if (key) {
    reached(*key) = position;
    ++brought_;
  } else if (position > 0) {
    deleted_.try_emplace(std::string(id), position);
  }
  return key;
}

StreamKey Recovery::Begin(absl::string_view id, std::uint32_t model) {
  journal_.Begun(id);
  left_out_.erase(id);  // what a model that is not served left of it is this stream's to write over
  const StreamKey key = shard_.Restore(id, model, {}, {});
  reached(key) = 0;
  return key;
}

bool Recovery::IsPast(absl::string_view id, std::uint64_t position) const {
  const auto deleted = deleted_.find(id);
  return deleted != deleted_.end() && position <= deleted->second;
}

bool Recovery::Owns(absl::string_view id) const { return ShardOf(id, shards_) == index_; }

std::uint64_t& Recovery::reached(StreamKey key) {
  std::vector<std::uint64_t>& slots = reached_[key.model];
  if (slots.size() <= key.slot) slots.resize(2 * static_cast<std::size_t>(key.slot) + 1);
  return slots[key.slot];
}

}  // namespace tidegate
