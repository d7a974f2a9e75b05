#pragma once

#include <atomic>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "server/shard/shard.h"
#include "server/shard/shard_journal.h"
#include "server/store/store.h"

namespace tidegate {

// Readings from the journal that are to be stepped together, of one model.
class ReplayedReadings;

// Brings the streams of one shard back from the store: the states that are there, then what the journal has
// of them behind these states, through the same steps that made them. A journal that says the same twice does
// no harm, as each state knows how far it goes. Uses its shard alone; several shards recover at once, each in
// its thread.
class Recovery {
 public:
  static constexpr std::uint32_t kNoModel = std::numeric_limits<std::uint32_t>::max();

  // models: by number in the store's table the index of the model, or kNoModel: streams of it are left out.
  // The shard is number `index` of `shards`, has no streams yet and does not write to its journal. If it
  // keeps streams within some memory, only those come back of which the journal has something.
  Recovery(Shard& shard, ShardJournal& journal, std::span<const std::uint32_t> models, std::size_t index,
           std::size_t shards);
  ~Recovery();

  // DataLoss: a state that is not one of its model, or a reading that is not taken as it was when it came.
  // FailedPrecondition: a reading is refused.
  // ResourceExhausted: more streams than there may be. Cancelled: `stop` was set.
  absl::Status Run(const std::atomic<bool>& stop);

  // 0 to 1, of the journal. Safe from any thread.
  double done() const { return done_.load(std::memory_order_relaxed); }
  std::uint64_t readings() const { return readings_.load(std::memory_order_relaxed); }  // stepped again

  // Before Run, if the shard keeps streams within some memory: the store has a state of a stream whose model
  // is not served.
  void LeaveOut(absl::string_view id, std::uint64_t position);
  // Before Run. refused: by number in the store's table why readings of this model may not be stepped again;
  // empty: they may.
  void RefuseReadings(std::vector<std::string> refused) { refused_ = std::move(refused); }
  // After Run: the streams of models that are not served and up to which position there is something of them.
  const absl::flat_hash_map<std::string, std::uint64_t>& left_out() const { return left_out_; }

 private:
  absl::Status LoadStates(const std::atomic<bool>& stop);
  absl::Status Load(absl::string_view id, const StoredState& state);
  absl::Status ReplayGroup(GroupReader& group);
  absl::Status Apply(const JournalEntry& entry, std::uint64_t position);
  void ApplyDelete(absl::string_view id, std::uint64_t position);
  // The journal has something of a stream whose model is not served.
  void NoteLeftOut(absl::string_view id, std::uint64_t position);
  absl::Status ApplyReading(const JournalReading& reading, std::uint64_t position);
  absl::Status ApplyState(const JournalState& state, std::uint64_t position);
  absl::Status Flush();
  // The stream, if it is in memory or can be brought back there.
  std::optional<StreamKey> Find(absl::string_view id);
  StreamKey Begin(absl::string_view id, std::uint32_t model);
  // Whether what the journal says of a stream that is not there is part of a past that was deleted.
  bool IsPast(absl::string_view id, std::uint64_t position) const;
  bool Owns(absl::string_view id) const;
  // How far the stream's state goes.
  std::uint64_t& reached(StreamKey key);

  Shard& shard_;
  ShardJournal& journal_;
  Store& store_;
  const std::vector<std::uint32_t> models_;
  const std::size_t index_, shards_;
  std::vector<std::string> refused_;
  std::vector<std::unique_ptr<ReplayedReadings>> waiting_;  // by model
  std::vector<std::vector<std::uint64_t>> reached_;         // by model and slot
  absl::flat_hash_map<std::string, std::uint64_t> left_out_;
  absl::flat_hash_map<std::string, std::uint64_t> deleted_;  // by their marks: up to which position
  std::vector<Work*> finished_;
  std::size_t brought_ = 0;  // streams that came back into memory since the last Flush
  std::atomic<double> done_{0};
  std::atomic<std::uint64_t> readings_{0};
};

}  // namespace tidegate
