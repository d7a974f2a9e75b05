#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/shard/stream_table.h"

namespace tidegate {

// The streams that one call has named, by handle: 0, 1, 2, ... in the order they were named. A handle costs 8
// bytes once its stream exists, and 5 more and its id where ids are kept. At most 4 GiB of ids. Not
// thread-safe.
class StreamHandles {
 public:
  enum class State { kBadId, kNamed, kBound };

  std::size_t size() const { return keys_.size(); }
  void Clear();

  // Gives the next handle to stream `id`, which `table` may know or not. keep: the id is kept also when its
  // stream is bound, because the stream may leave the table and come back under another key; the same for
  // all.
  void Add(absl::string_view id, const StreamTable& table, bool keep = false);

  // kBadId: the id was not acceptable, see IsStreamId. kNamed: no stream of this id was known yet. kBound:
  // `key` holds. Requires handle < size().
  State state(std::uint32_t handle) const;
  StreamKey key(std::uint32_t handle) const { return keys_[handle]; }
  // Of one that is kNamed, or whose id is kept; holds until the next Add, or Bind.
  absl::string_view id(std::uint32_t handle) const;

  // The stream of a handle now exists, or has another key.
  void Bind(std::uint32_t handle, StreamKey key);

 private:
  std::uint32_t Keep(absl::string_view id);

  std::vector<StreamKey> keys_;       // by handle; of those that are kNamed the slot says where the id begins
  std::string ids_;                   // each behind a byte with its length
  std::vector<std::uint32_t> begin_;  // in ids_, by handle, where they are kept
  std::size_t named_ = 0;             // handles that are kNamed
};

// 1-128 bytes without control characters (U+0000-U+001F, U+007F-U+009F). That they are UTF-8 is checked where
// messages are parsed.
bool IsStreamId(absl::string_view id);

}  // namespace tidegate
