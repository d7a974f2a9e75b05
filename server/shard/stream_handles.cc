#include "server/shard/stream_handles.h"

#include <limits>

namespace tidegate {
namespace {

// Keys that no stream has.
constexpr std::uint16_t kNoModel = std::numeric_limits<std::uint16_t>::max();
constexpr StreamKey kNamedKey{.model = kNoModel, .generation = 0, .slot = 0};
constexpr StreamKey kBadIdKey{.model = kNoModel, .generation = 0, .slot = 1};

constexpr std::size_t kMaxIdBytes = 128;

}  // namespace

bool IsStreamId(absl::string_view id) {
  if (id.empty() || id.size() > kMaxIdBytes) return false;
  for (std::size_t i = 0; i < id.size(); ++i) {
    const auto byte = static_cast<unsigned char>(id[i]);
    if (byte < 0x20 || byte == 0x7f) return false;
    // U+0080-U+009F are C2 80 - C2 9F in UTF-8.
    if (byte == 0xc2 && i + 1 < id.size() && static_cast<unsigned char>(id[i + 1]) < 0xa0) return false;
  }
  return true;
}

void StreamHandles::Clear() {
  keys_.clear();
  ids_.clear();
}

void StreamHandles::Add(absl::string_view id, const StreamTable& table, bool keep) {
  if (!IsStreamId(id)) {
    keys_.push_back(kBadIdKey);
  } else if (const auto key = table.Find(id)) {
    if (keep) ids_.emplace(keys_.size(), id);
    keys_.push_back(*key);
  } else {
    ids_.emplace(keys_.size(), id);
    keys_.push_back(kNamedKey);
  }
}

StreamHandles::State StreamHandles::state(std::uint32_t handle) const {
  if (keys_[handle] == kBadIdKey) return State::kBadId;
  return keys_[handle] == kNamedKey ? State::kNamed : State::kBound;
}

void StreamHandles::Bind(std::uint32_t handle, StreamKey key, bool keep) {
  keys_[handle] = key;
  if (!keep) ids_.erase(handle);
}

}  // namespace tidegate
