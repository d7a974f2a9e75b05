#include "server/shard/stream_table.h"

#include <cassert>

namespace tidegate {

void StreamTable::AddModel(const Model& model) {
  PerModel& added = models_.emplace_back();
  added.stream_floats = StreamFloats(model);
  const std::size_t bytes = sizeof(Record) + added.stream_floats * sizeof(float);
  added.row_bytes = (bytes + alignof(Record) - 1) / alignof(Record) * alignof(Record);
}

std::optional<StreamKey> StreamTable::Find(absl::string_view id) const {
  const auto found = keys_.find(id);
  if (found == keys_.end()) return std::nullopt;
  return *found;
}

std::optional<StreamKey> StreamTable::Create(absl::string_view id, std::uint32_t model) {
  if (!budget_.Take()) return std::nullopt;
  return Place(id, model);
}

StreamKey StreamTable::Restore(absl::string_view id, std::uint32_t model) {
  budget_.TakeAnyway();
  return Place(id, model);
}

StreamKey StreamTable::Return(absl::string_view id, std::uint32_t model) {
  const StreamKey key = Place(id, model);
  returned(key) = true;
  return key;
}

StreamKey StreamTable::Place(absl::string_view id, std::uint32_t model) {
  PerModel& owner = models_[model];
  StreamKey key{.model = static_cast<std::uint16_t>(model), .generation = 0, .slot = slots(model)};
  if (!owner.free.empty()) {
    key.slot = owner.free.back();
    owner.free.pop_back();
    key.generation = record(key).generation;
    changed(key) = used(key) = taken(key) = true;
    returned(key) = false;
  } else {
    if (key.slot % kBlockStreams == 0)
      owner.blocks.push_back(MakeLargeMemory(kBlockStreams * owner.row_bytes));
    if (key.slot % kIdStreams == 0) owner.ids.push_back(std::make_unique<IdPage>());
    ++owner.slots;
    new (row(key)) Record();
  }
  ++owner.streams;
  owner.ids[key.slot / kIdStreams]->Set(key.slot % kIdStreams, id);
  const bool added = keys_.insert(key).second;
  assert(added);
  static_cast<void>(added);
  memory_ += MemoryOf(key);
  return key;
}

void StreamTable::Remove(StreamKey key) {
  Displace(key);
  budget_.GiveBack();
}

void StreamTable::Evict(StreamKey key) { Displace(key); }

void StreamTable::Displace(StreamKey key) {
  PerModel& owner = models_[key.model];
  memory_ -= MemoryOf(key);
  keys_.erase(key);
  header(key) = {};
  owner.ids[key.slot / kIdStreams]->Set(key.slot % kIdStreams, {});
  --owner.streams;
  // A slot whose generations have run out stays empty: a further one would be taken for the first.
  if (++record(key).generation != kLastGeneration) owner.free.push_back(key.slot);
}

}  // namespace tidegate
