#include "server/shard/named_streams.h"

#include <algorithm>
#include <limits>

#include "absl/hash/hash.h"

namespace tidegate {

std::size_t ShardOf(absl::string_view id, std::size_t shards) {
  // By the upper half of the hash: the table of a shard's streams goes by the lower one.
  return static_cast<std::size_t>((static_cast<std::uint64_t>(absl::HashOf(id)) >> 32) * shards >> 32);
}

void NamedStreams::Clear() {
  for (StreamHandles& handles : at_) handles.Clear();
  std::ranges::fill(named_at_, 0);
  places_.clear();
}

void NamedStreams::Divide(Message& message, std::size_t own) {
  const std::size_t shards = at_.size();
  message.parts.resize(shards);
  for (Part& part : message.parts) {
    part.own_ids.clear();
    part.own_rows.clear();
    part.own_handles.clear();
  }
  const std::size_t first = places_.size();
  for (const std::string* id : message.ids) {
    const std::size_t shard = ShardOf(*id, shards);
    places_.push_back({static_cast<std::uint32_t>(shard), named_at_[shard]++});
    message.parts[shard].own_ids.push_back(id);
  }
  for (std::size_t i = 0; i < message.size(); ++i) {
    const std::size_t handle = message.handle.empty() ? first + i : message.handle[i];
    const Place place = handle < places_.size() ? places_[handle]
                                                : Place{static_cast<std::uint32_t>(own),
                                                        std::numeric_limits<std::uint32_t>::max()};
    message.parts[place.shard].own_rows.push_back(static_cast<std::uint32_t>(i));
    message.parts[place.shard].own_handles.push_back(place.handle);
  }
  for (std::size_t shard = 0; shard < shards; ++shard) {
    Part& part = message.parts[shard];
    static_cast<Work&>(part) = message;
    part.message = &message;
    part.part = true;
    part.handles = &at_[shard];
    part.ids = part.own_ids;
    part.rows = part.own_rows;
    part.handle = part.own_handles;
  }
}

}  // namespace tidegate
