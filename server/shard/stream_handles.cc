#include "server/shard/stream_handles.h"

#include <limits>

namespace tidegate {
namespace {

// Keys that no stream has.
constexpr std::uint16_t kUnbound = std::numeric_limits<std::uint16_t>::max();
constexpr StreamKey NamedKey(std::uint32_t id) { return {.model = kUnbound, .generation = 0, .slot = id}; }
constexpr StreamKey kBadIdKey{.model = kUnbound, .generation = 1, .slot = 0};

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
  begin_.clear();
  named_ = 0;
}

std::uint32_t StreamHandles::Keep(absl::string_view id) {
  const auto begin = static_cast<std::uint32_t>(ids_.size());
  ids_.push_back(static_cast<char>(id.size()));
  ids_.append(id.data(), id.size());
  return begin;
}

void StreamHandles::Add(absl::string_view id, const StreamTable& table, bool keep) {
  if (!IsStreamId(id)) {
    if (keep) begin_.push_back(0);
    return keys_.push_back(kBadIdKey);
  }
  const auto key = table.Find(id);
  const std::uint32_t begin = keep || !key ? Keep(id) : 0;
  if (keep) begin_.push_back(begin);
  if (!key) ++named_;
  keys_.push_back(key ? *key : NamedKey(begin));
}

absl::string_view StreamHandles::id(std::uint32_t handle) const {
  const std::size_t begin = begin_.empty() ? keys_[handle].slot : begin_[handle];
  return absl::string_view(ids_).substr(begin + 1, static_cast<unsigned char>(ids_[begin]));
}

StreamHandles::State StreamHandles::state(std::uint32_t handle) const {
  const StreamKey key = keys_[handle];
  if (key.model != kUnbound) return State::kBound;
  return key == kBadIdKey ? State::kBadId : State::kNamed;
}

void StreamHandles::Bind(std::uint32_t handle, StreamKey key) {
  if (state(handle) == State::kNamed) --named_;
  keys_[handle] = key;
  if (named_ == 0 && begin_.empty()) ids_.clear();
}

}  // namespace tidegate
