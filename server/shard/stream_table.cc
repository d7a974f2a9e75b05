#include "server/shard/stream_table.h"

#include <cassert>

namespace tidegate {

StreamTable::StreamTable(std::span<const std::shared_ptr<const Model>> models, std::size_t max_streams)
    : max_streams_(max_streams) {
  for (const auto& model : models)
    models_.push_back({.stream_floats = StreamFloats(*model), .streams = 0, .pages = {}});
}

std::optional<StreamKey> StreamTable::Find(absl::string_view id) const {
  const auto found = keys_.find(id);
  if (found == keys_.end()) return std::nullopt;
  return *found;
}

std::optional<StreamKey> StreamTable::Create(absl::string_view id, std::uint32_t model) {
  if (keys_.size() >= max_streams_) return std::nullopt;
  PerModel& owner = models_[model];
  if (owner.streams % kPageStreams == 0) {
    owner.pages.push_back(std::make_unique<Page>());
    owner.pages.back()->floats = std::make_unique_for_overwrite<float[]>(kPageStreams * owner.stream_floats);
  }
  const StreamKey key{.model = model, .slot = static_cast<std::uint32_t>(owner.streams++)};
  page(key).ids[key.slot % kPageStreams].assign(id.data(), id.size());
  const bool added = keys_.insert(key).second;
  assert(added);
  static_cast<void>(added);
  return key;
}

}  // namespace tidegate
