#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "engine/model/model.h"
#include "engine/stream/stream.h"
#include "server/shard/id_page.h"
#include "server/shard/large_memory.h"

namespace tidegate {

// Where a stream lives: the index of the model it is bound to, and its slot among that model's streams. The
// generation tells it from streams that had the slot before it.
struct StreamKey {
  std::uint16_t model = 0;
  std::uint16_t generation = 0;
  std::uint32_t slot = 0;
  bool operator==(const StreamKey&) const = default;
};

// What waits of one stream, as its Lane numbers it; kNone: nothing.
struct StreamQueue {
  static constexpr std::uint32_t kNone = std::numeric_limits<std::uint32_t>::max();
  std::uint32_t first = kNone;
  std::uint32_t last = kNone;
};

// How many streams there may yet be, over all shards. Thread-safe.
class StreamBudget {
 public:
  explicit StreamBudget(std::size_t streams) : all_(streams), left_(Signed(streams)) {}

  // Takes one; false: none is left.
  bool Take() {
    std::int64_t left = left_.load(std::memory_order_relaxed);
    while (left > 0) {
      if (left_.compare_exchange_weak(left, left - 1, std::memory_order_relaxed)) return true;
    }
    return false;
  }
  // Takes so many even if fewer are left: of what is brought back some may be deleted again.
  void TakeAnyway(std::size_t streams = 1) { left_.fetch_sub(Signed(streams), std::memory_order_relaxed); }
  void GiveBack() { left_.fetch_add(1, std::memory_order_relaxed); }
  std::size_t all() const { return all_; }
  std::size_t taken() const {
    return static_cast<std::size_t>(Signed(all_) - left_.load(std::memory_order_relaxed));
  }

 private:
  static std::int64_t Signed(std::size_t streams) { return static_cast<std::int64_t>(streams); }

  const std::size_t all_;
  std::atomic<std::int64_t> left_;  // below 0: more were taken anyway
};

// The streams of one shard: their ids, and per model their headers, queues and floats (see StreamFloats) as
// rows of flat blocks. A stream stays where it is, so keys and pointers to it hold as long as the table.
// Owned by its shard's thread; not thread-safe.
class StreamTable {
 public:
  // budget: must outlive the table.
  explicit StreamTable(StreamBudget& budget) : budget_(budget) {}
  StreamTable(const StreamTable&) = delete;  // the keys' hash knows its address
  StreamTable& operator=(const StreamTable&) = delete;

  // Makes room for streams of a further model, whose index is the next: 0, 1, 2, ...
  void AddModel(const Model& model);

  // Frees the memory of a model whose streams are all removed. Its index stays unused.
  void RemoveModel(std::uint32_t model) { models_[model] = {}; }

  // Nothing: there is no stream `id`.
  std::optional<StreamKey> Find(absl::string_view id) const;

  // Makes room for stream `id`, its header all zero and its floats unspecified (Decide asks for StartStream).
  // Requires that it does not exist. Nothing: the budget is spent.
  std::optional<StreamKey> Create(absl::string_view id, std::uint32_t model);

  // The same of a stream that is brought back after a start: whatever is left of the budget.
  StreamKey Restore(absl::string_view id, std::uint32_t model);

  // Forgets the stream; its slot is for another one.
  void Remove(StreamKey key);

  // The same of a stream that is kept elsewhere, and counts in the budget as before; and room for it when it
  // comes back, as Create makes it.
  void Evict(StreamKey key);
  StreamKey Return(absl::string_view id, std::uint32_t model);

  // Whether the stream that the key was given for is there. What follows asks for the slot alone.
  bool Holds(StreamKey key) const {
    return key.slot < slots(key.model) && record(key).generation == key.generation;
  }

  StreamHeader& header(StreamKey key) { return record(key).header; }
  StreamQueue& queue(StreamKey key) { return record(key).queue; }
  // Whether the stream has changed since this was last set to false; a new stream has.
  bool& changed(StreamKey key) { return record(key).changed; }
  std::span<float> floats(StreamKey key) {
    return {reinterpret_cast<float*>(row(key) + sizeof(Record)), models_[key.model].stream_floats};
  }

  // Whether the stream was used since this was last set to false.
  bool& used(StreamKey key) { return record(key).used; }

  // Whether it is in memory because it came back: the store has a state of it.
  bool& returned(StreamKey key) { return record(key).returned; }
  bool returned(StreamKey key) const { return record(key).returned; }

  // Whether it took a reading since this was last set to false; a stream that is new in memory counts as if.
  bool& taken(StreamKey key) { return record(key).taken; }

  // Brings all but the floats into the cache. A load, not a prefetch: that is dropped where the address has
  // to be looked up in the page table, as that of most of a million streams. Called for several streams one
  // after the other, their loads overlap.
  void Touch(StreamKey key) const { static_cast<void>(*static_cast<const volatile std::byte*>(row(key))); }

  // The same of the id.
  void TouchId(StreamKey key) const { static_cast<void>(*static_cast<const volatile char*>(id(key).data())); }

  // Empty: the slot is free. Holds until a stream is created or removed.
  absl::string_view id(StreamKey key) const {
    return models_[key.model].ids[key.slot / kIdStreams]->Get(key.slot % kIdStreams);
  }

  std::size_t streams(std::uint32_t model) const { return models_[model].streams; }
  std::uint32_t slots(std::uint32_t model) const {  // free ones included
    return models_[model].slots;
  }
  std::uint32_t models() const { return static_cast<std::uint32_t>(models_.size()); }
  std::size_t all_slots() const {
    std::size_t all = 0;
    for (const PerModel& model : models_) all += model.slots;
    return all;
  }
  std::size_t stream_floats(std::uint32_t model) const { return models_[model].stream_floats; }
  // The key of the stream that has a slot, with its generation.
  StreamKey KeyOf(StreamKey slot) const {
    slot.generation = record(slot).generation;
    return slot;
  }
  // Bytes that a stream takes, and all of them, with their ids and the table's own bookkeeping, about.
  std::size_t MemoryOf(StreamKey key) const {
    return models_[key.model].row_bytes + id(key).size() + kBesideRow;
  }
  std::size_t memory() const { return memory_; }
  std::size_t state_bytes(std::uint32_t model) const {  // of its streams' headers and floats
    return streams(model) * (sizeof(StreamHeader) + models_[model].stream_floats * sizeof(float));
  }

 private:
  static constexpr std::size_t kBlockStreams = 16'384;
  static constexpr std::size_t kIdStreams = IdPage::kIds;
  static constexpr std::uint16_t kLastGeneration = std::numeric_limits<std::uint16_t>::max();  // no stream's
  // What a stream's row begins with; its floats follow, so that all lies in one page of memory.
  struct Record {
    StreamHeader header;
    StreamQueue queue;
    std::uint16_t generation = 0;
    bool changed = true;
    bool used = true;
    bool taken = true;
    bool returned = false;
  };
  struct PerModel {
    std::size_t stream_floats = 0;
    std::size_t row_bytes = 0;
    std::size_t streams = 0;
    std::uint32_t slots = 0;
    std::vector<LargeMemory> blocks;           // of kBlockStreams rows
    std::vector<std::unique_ptr<IdPage>> ids;  // of kIdStreams slots
    std::vector<std::uint32_t> free;           // slots
  };

  static constexpr std::size_t kBesideRow =
      24;  // bytes of a stream in the set of keys and its page, its id not

  StreamKey Place(absl::string_view id, std::uint32_t model);
  void Displace(StreamKey key);
  std::byte* row(StreamKey key) const {
    const PerModel& owner = models_[key.model];
    return owner.blocks[key.slot / kBlockStreams].get() + key.slot % kBlockStreams * owner.row_bytes;
  }
  Record& record(StreamKey key) const { return *std::launder(reinterpret_cast<Record*>(row(key))); }

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

  StreamBudget& budget_;
  std::size_t memory_ = 0;
  std::vector<PerModel> models_;
  absl::flat_hash_set<StreamKey, IdHash, IdEqual> keys_{0, IdHash{this}, IdEqual{this}};
};

}  // namespace tidegate
