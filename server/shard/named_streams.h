#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/shard/message.h"
#include "server/shard/stream_handles.h"

namespace tidegate {

// Which of so many shards owns stream `id`, the same in all threads of a process.
std::size_t ShardOf(absl::string_view id, std::size_t shards);

// The streams that one call has named, by handle: 0, 1, 2, ... in the order they were named, wherever they
// are. Owned by the call's thread. Each shard counts handles of its own for the streams that it owns, and
// only its thread touches those, while a message of the call is with it.
class NamedStreams {
 public:
  explicit NamedStreams(std::size_t shards) : at_(shards), named_at_(shards) {}

  void Clear();

  std::size_t size() const { return at_.size() == 1 ? at_[0].size() : places_.size(); }

  // Points a message at the handles of the only shard.
  void Assign(Message& message) { message.handles = &at_[0]; }

  // Divides a message into parts of several shards; its ids take the next handles. own: the shard of readings
  // whose handles nobody has named.
  void Divide(Message& message, std::size_t own);

 private:
  struct Place {
    std::uint32_t shard;
    std::uint32_t handle;  // the shard's own
  };

  std::vector<StreamHandles> at_;        // by shard
  std::vector<std::uint32_t> named_at_;  // streams, by shard
  std::vector<Place> places_;            // by handle; left empty with a single shard
};

}  // namespace tidegate
