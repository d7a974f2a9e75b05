#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "server/shard/stream_table.h"

namespace tidegate {

// The streams that one call has named, by handle: 0, 1, 2, ... in the order they were named. A handle costs 8
// bytes once its stream exists. Not thread-safe.
class StreamHandles {
 public:
  enum class State { kBadId, kNamed, kBound };

  std::size_t size() const { return keys_.size(); }
  void Clear();

  // Gives the next handle to stream `id`, which `table` may know or not. keep: the id is kept also when its
  // stream is bound, because the stream may leave the table and come back under another key.
  void Add(absl::string_view id, const StreamTable& table, bool keep = false);

  // kBadId: the id was not acceptable, see IsStreamId. kNamed: no stream of this id was known yet. kBound:
  // `key` holds. Requires handle < size().
  State state(std::uint32_t handle) const;
  StreamKey key(std::uint32_t handle) const { return keys_[handle]; }
  const std::string& id(std::uint32_t handle) const {
    return ids_.at(handle);
  }  // of one that is kNamed, or kept
  bool keeps(std::uint32_t handle) const { return ids_.contains(handle); }

  // The stream of a handle now exists, or has another key.
  void Bind(std::uint32_t handle, StreamKey key, bool keep = false);

 private:
  std::vector<StreamKey> keys_;                          // by handle
  absl::flat_hash_map<std::uint32_t, std::string> ids_;  // of handles that are kNamed, or kept
};

// 1-128 bytes without control characters (U+0000-U+001F, U+007F-U+009F). That they are UTF-8 is checked where
// messages are parsed.
bool IsStreamId(absl::string_view id);

}  // namespace tidegate
