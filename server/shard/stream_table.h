#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "engine/model/model.h"
#include "engine/stream/stream.h"
#include "server/shard/id_page.h"
#include "server/shard/large_floats.h"

namespace tidegate {

// Where a stream lives: the index of the model it is bound to, and its slot among that model's streams. The
// generation tells it from streams that had the slot before it.
struct StreamKey {
  std::uint16_t model = 0;
  std::uint16_t generation = 0;
  std::uint32_t slot = 0;
  bool operator==(const StreamKey&) const = default;
};

// The streams of one shard: their ids, and per model their headers and floats (see StreamFloats) in flat
// blocks. A stream stays where it is, so keys and pointers to it hold as long as the table. Owned by its
// shard's thread; not thread-safe.
class StreamTable {
 public:
  // max_streams: over all models.
  StreamTable(std::span<const std::shared_ptr<const Model>> models, std::size_t max_streams);
  StreamTable(const StreamTable&) = delete;  // the keys' hash knows its address
  StreamTable& operator=(const StreamTable&) = delete;

  // Nothing: there is no stream `id`.
  std::optional<StreamKey> Find(absl::string_view id) const;

  // Makes room for stream `id`, its header all zero and its floats unspecified (Decide asks for StartStream).
  // Requires that it does not exist. Nothing: the table is full.
  std::optional<StreamKey> Create(absl::string_view id, std::uint32_t model);

  // Forgets the stream; its slot is for another one.
  void Remove(StreamKey key);

  // Whether the stream that the key was given for is there. What follows asks for the slot alone.
  bool Holds(StreamKey key) const { return models_[key.model].generations[key.slot] == key.generation; }

  StreamHeader& header(StreamKey key) {
    return models_[key.model].headers[key.slot / kBlockStreams][key.slot % kBlockStreams];
  }
  std::span<float> floats(StreamKey key) {
    const std::size_t width = models_[key.model].stream_floats;
    return {models_[key.model].floats[key.slot / kBlockStreams].get() + key.slot % kBlockStreams * width,
            width};
  }

  // Brings what Holds and header read on its way into the cache.
  void Prefetch(StreamKey key) const {
    const PerModel& owner = models_[key.model];
    __builtin_prefetch(&owner.generations[key.slot]);
    __builtin_prefetch(&owner.headers[key.slot / kBlockStreams][key.slot % kBlockStreams], 1);
  }

  // Empty: the slot is free. Holds until a stream is created or removed.
  absl::string_view id(StreamKey key) const {
    return models_[key.model].ids[key.slot / kIdStreams]->Get(key.slot % kIdStreams);
  }

  std::size_t streams(std::uint32_t model) const { return models_[model].streams; }
  std::uint32_t slots(std::uint32_t model) const {  // free ones included
    return static_cast<std::uint32_t>(models_[model].generations.size());
  }
  std::size_t state_bytes(std::uint32_t model) const {  // of its streams' headers and floats
    return streams(model) * (sizeof(StreamHeader) + models_[model].stream_floats * sizeof(float));
  }

 private:
  static constexpr std::size_t kBlockStreams = 16'384;
  static constexpr std::size_t kIdStreams = IdPage::kIds;
  static constexpr std::uint16_t kLastGeneration = std::numeric_limits<std::uint16_t>::max();  // no stream's
  struct PerModel {
    std::size_t stream_floats = 0;
    std::size_t streams = 0;
    std::vector<std::uint16_t> generations;                // by slot
    std::vector<std::unique_ptr<StreamHeader[]>> headers;  // [kBlockStreams]
    std::vector<LargeFloats> floats;                       // [kBlockStreams, stream_floats]
    std::vector<std::unique_ptr<IdPage>> ids;              // of kIdStreams slots
    std::vector<std::uint32_t> free;                       // slots
  };

  // Ids stand in the pages only; the set of keys finds them there.
  struct IdHash {
    using is_transparent = void;
    const StreamTable* table;
    std::size_t operator()(absl::string_view id) const { return absl::HashOf(id); }
    std::size_t operator()(StreamKey key) const { return absl::HashOf(table->id(key)); }
  };
  struct IdEqual {
    using is_transparent = void;
    const StreamTable* table;
    bool operator()(StreamKey a, StreamKey b) const { return a == b; }
    bool operator()(StreamKey a, absl::string_view b) const { return table->id(a) == b; }
    bool operator()(absl::string_view a, StreamKey b) const { return table->id(b) == a; }
  };

  std::size_t max_streams_;
  std::vector<PerModel> models_;
  absl::flat_hash_set<StreamKey, IdHash, IdEqual> keys_{0, IdHash{this}, IdEqual{this}};
};

}  // namespace tidegate
