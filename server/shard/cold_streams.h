#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "absl/strings/string_view.h"
#include "server/metrics/metrics.h"
#include "server/shard/shard_journal.h"
#include "server/shard/stream_table.h"
#include "server/store/store.h"

namespace tidegate {

// The streams of a shard that lie in the store alone, because memory for them is limited: those that were not
// used for longest go there, and come back, bit for bit, when they are asked for. Of a stream that is not in
// memory nothing is, not even its id. Owned by the shard's thread, as the table is; not thread-safe.
class ColdStreams {
 public:
  // memory: bytes that the streams in memory may take. cold: streams that are in the store already, of this
  // shard or in its place of another; with those of the table they were taken from the table's budget. All
  // must outlive it.
  ColdStreams(StreamTable& table, ShardJournal& journal, ColdMetrics& metrics, std::size_t memory,
              std::size_t cold);

  // Brings those of the streams `ids` back that are not in memory. Of an id that is named more than once,
  // only the first counts.
  void Load(std::span<const absl::string_view> ids);

  // headers [N]: of those of the streams `ids` that are not in memory, which stay where they are; the others
  // and those that do not exist are left as they were.
  void Headers(std::span<const absl::string_view> ids, std::span<std::optional<StreamHeader>> headers);

  // The same as Load of one stream; nothing: it does not exist. position: up to which group of the journal
  // its state goes, or its deletion; set only if the stream was not in memory.
  std::optional<StreamKey> Load(absl::string_view id, std::uint64_t* position = nullptr);

  // Puts streams out of memory until the rest fits, as far as none of their readings wait, and deletions into
  // the store if there are many. What was noted in the journal must have been submitted.
  void Evict();
  // Puts all deletions into the store. The same holds.
  absl::Status PutDeleted();

  // Whether there is something for Evict to do.
  bool Overflows() const { return table_.memory() > memory_ || journal_.deleted() >= kDeletedTogether; }

 private:
  static constexpr std::size_t kDeletedTogether = 256;

  // Calls each(i, state) for those of the streams `ids` that are in the store alone.
  void Read(std::span<const absl::string_view> ids,
            const std::function<void(std::size_t i, const StoredState& state)>& each);
  // The index of the model that a state of the store is of, if it is served.
  std::optional<std::uint32_t> ModelOf(const StoredState& state) const;
  std::optional<StreamKey> Return(absl::string_view id, const StoredState& state);
  bool Choose(StreamKey& chosen);
  bool Advance();
  void Count();

  StreamTable& table_;
  ShardJournal& journal_;
  ColdMetrics& metrics_;
  const std::size_t memory_;
  std::int64_t cold_;  // streams in the store alone; after a start that did not read them, over all shards
  StreamKey hand_;     // goes round all slots: who was not used since it last came by is put out
  StateBatch batch_;
  std::vector<StreamKey> chosen_;
  std::vector<absl::string_view> wanted_;  // what is read together
  std::vector<std::size_t> wanted_index_;
  std::vector<StoredState> states_;
  std::unique_ptr<bool[]> found_;
};

}  // namespace tidegate
