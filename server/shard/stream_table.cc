#include "server/shard/stream_table.h"

#include <cassert>

namespace tidegate {

StreamTable::StreamTable(std::span<const std::shared_ptr<const Model>> models, std::size_t max_streams)
    : max_streams_(max_streams) {
  for (const auto& model : models)
    models_.push_back(
        {.stream_floats = StreamFloats(*model), .kept = model->layout().kept, .pages = {}, .free = {}});
}

std::optional<StreamKey> StreamTable::Find(absl::string_view id) const {
  const auto found = keys_.find(id);
  if (found == keys_.end()) return std::nullopt;
  return *found;
}

std::optional<StreamKey> StreamTable::Create(absl::string_view id, std::uint32_t model) {
  if (keys_.size() >= max_streams_) return std::nullopt;
  PerModel& owner = models_[model];
  StreamKey key{.model = static_cast<std::uint16_t>(model), .generation = 0, .slot = owner.slots};
  if (!owner.free.empty()) {
    key.slot = owner.free.back();
    owner.free.pop_back();
    key.generation = page(key).generations[key.slot % kPageStreams];
  } else if (owner.slots++ % kPageStreams == 0) {
    owner.pages.push_back(std::make_unique<Page>());
    owner.pages.back()->floats = std::make_unique_for_overwrite<float[]>(kPageStreams * owner.stream_floats);
  }
  ++owner.streams;
  page(key).ids[key.slot % kPageStreams].assign(id.data(), id.size());
  const bool added = keys_.insert(key).second;
  assert(added);
  static_cast<void>(added);
  return key;
}

void StreamTable::Remove(StreamKey key) {
  PerModel& owner = models_[key.model];
  keys_.erase(key);
  header(key) = {};
  std::string().swap(page(key).ids[key.slot % kPageStreams]);
  --owner.streams;
  // A slot whose generations have run out stays empty: a further one would be taken for the first.
  if (++page(key).generations[key.slot % kPageStreams] != kLastGeneration) owner.free.push_back(key.slot);
}

}  // namespace tidegate
