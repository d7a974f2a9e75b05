#include "server/shard/cold_streams.h"

#include <algorithm>
#include <memory>
#include <utility>

namespace tidegate {
namespace {

constexpr std::size_t kReadTogether = 256;     // streams looked for with one look at the disk
constexpr std::size_t kEvictedTogether = 256;  // streams put out together
constexpr int kChances = 256;                  // streams passed by for one that goes, because they were used

}  // namespace

ColdStreams::ColdStreams(StreamTable& table, ShardJournal& journal, ColdMetrics& metrics, std::size_t memory,
                         std::size_t cold)
    : table_(table),
      journal_(journal),
      metrics_(metrics),
      memory_(memory),
      cold_(static_cast<std::int64_t>(cold)),
      states_(kReadTogether),
      found_(std::make_unique<bool[]>(kReadTogether)) {
  Count();
}

void ColdStreams::Load(std::span<const absl::string_view> ids) {
  bool any = false;
  Read(ids, [&](std::size_t i, const StoredState& state) {
    if (!table_.Find(ids[i])) any |= Return(ids[i], state).has_value();
  });
  if (any) Count();
}

void ColdStreams::Headers(std::span<const absl::string_view> ids,
                          std::span<std::optional<StreamHeader>> headers) {
  Read(ids, [&](std::size_t i, const StoredState& state) {
    if (ModelOf(state)) headers[i] = state.header;
  });
}

void ColdStreams::Read(std::span<const absl::string_view> ids,
                       const std::function<void(std::size_t i, const StoredState& state)>& each) {
  for (std::size_t i = 0; i < ids.size();) {
    wanted_.clear();
    wanted_index_.clear();
    for (; i < ids.size() && wanted_.size() < kReadTogether; ++i) {
      if (table_.Find(ids[i]) || journal_.IsDeleted(ids[i])) continue;
      wanted_.push_back(ids[i]);
      wanted_index_.push_back(i);
    }
    if (wanted_.empty()) return;
    const std::span found(found_.get(), wanted_.size());
    const absl::Status read = journal_.store().ReadStates(wanted_, found, states_);
    if (!read.ok()) return journal_.Fail(read);
    for (std::size_t k = 0; k < wanted_.size(); ++k) {
      if (found[k]) each(wanted_index_[k], states_[k]);
    }
  }
}

std::optional<StreamKey> ColdStreams::Load(absl::string_view id, std::uint64_t* position) {
  if (const auto key = table_.Find(id)) return key;
  if (journal_.IsDeleted(id)) return std::nullopt;
  bool found = false;
  const absl::Status read = journal_.store().ReadStates({&id, 1}, {&found, 1}, std::span(states_).first(1));
  if (!read.ok()) {
    journal_.Fail(read);
    return std::nullopt;
  }
  if (position != nullptr) *position = states_.front().position;
  if (!found) return std::nullopt;
  const auto key = Return(id, states_.front());
  Count();
  return key;
}

// A stream of a model that is no longer served is none: its readings name another model, and begin it anew.
std::optional<std::uint32_t> ColdStreams::ModelOf(const StoredState& state) const {
  const auto model = journal_.ModelOf(state.model);
  return model && state.floats.size() == table_.stream_floats(*model) ? model : std::nullopt;
}

std::optional<StreamKey> ColdStreams::Return(absl::string_view id, const StoredState& state) {
  const auto model = ModelOf(state);
  if (!model) return std::nullopt;
  const StreamKey key = table_.Return(id, *model);
  table_.header(key) = state.header;
  std::ranges::copy(state.floats, table_.floats(key).begin());
  table_.changed(key) = false;
  --cold_;
  metrics_.loads.Add(1);
  return key;
}

absl::Status ColdStreams::PutDeleted() {
  if (journal_.deleted() == 0) return absl::OkStatus();
  for (const std::string& id : journal_.TakeDeleted()) batch_.Delete(id, journal_.position());
  return journal_.store().WriteStates(batch_);
}

void ColdStreams::Evict() {
  if (journal_.deleted() >= kDeletedTogether) {
    if (auto s = PutDeleted(); !s.ok()) return journal_.Fail(s);
  }
  while (table_.memory() > memory_) {
    chosen_.clear();
    std::size_t left = table_.memory();
    for (StreamKey key; left > memory_ && chosen_.size() < kEvictedTogether && Choose(key);) {
      chosen_.push_back(key);
      left -= table_.MemoryOf(key);
      if (!table_.changed(key)) continue;
      batch_.Put(table_.id(key), journal_.position(), journal_.model(key.model), table_.header(key),
                 table_.floats(key));
      table_.changed(key) = false;
    }
    if (chosen_.empty()) return;  // readings wait for all that there are
    if (!batch_.empty()) {
      const absl::Status written = journal_.store().WriteStates(batch_);
      if (!written.ok()) return journal_.Fail(written);
    }
    for (const StreamKey key : chosen_) table_.Evict(key);
    cold_ += static_cast<std::int64_t>(chosen_.size());
    metrics_.evictions.Add(chosen_.size());
    Count();
  }
}

// The next stream that may go. False: none.
bool ColdStreams::Choose(StreamKey& chosen) {
  int chances = kChances;
  // Twice round: the first time takes away the marks of those that were used.
  for (std::size_t left = 2 * table_.all_slots(); left > 0 && Advance(); --left) {
    if (table_.id(hand_).empty() || table_.queue(hand_).first != StreamQueue::kNone) continue;
    if (std::exchange(table_.used(hand_), false) && chances-- > 0) continue;
    if (!chosen_.empty() && table_.KeyOf(hand_) == chosen_.front()) return false;
    chosen = table_.KeyOf(hand_);
    return true;
  }
  return false;
}

// To the next slot of any model. False: there are none.
bool ColdStreams::Advance() {
  ++hand_.slot;
  for (std::size_t models = 0; models <= table_.models(); ++models) {
    if (hand_.model < table_.models() && hand_.slot < table_.slots(hand_.model)) return true;
    const std::uint32_t next = hand_.model + 1u;
    hand_ = {.model = static_cast<std::uint16_t>(next < table_.models() ? next : 0)};
  }
  return false;
}

void ColdStreams::Count() { metrics_.cold.Set(cold_); }

}  // namespace tidegate
