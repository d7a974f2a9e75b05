#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "engine/stream/stream.h"
#include "server/store/store.h"

namespace tidegate {

// What one shard writes into the journal of the store. Changes are noted as they are made, and submitted
// together as one group; what they led to is told to nobody before the group is durable. Owned by the shard's
// thread; not thread-safe.
class ShardJournal {
 public:
  // store: must outlive this; the shard's streams contain all of its journal. through: called on a thread of
  // the store's when groups up to a position have become durable that were not at once; is to lead to Durable
  // in the shard's thread. failed: the store has failed, and nothing may be acknowledged any more; called on
  // any thread, must end the process.
  ShardJournal(Store& store, std::function<void(std::uint64_t position)> through,
               std::function<void(const absl::Status&)> failed);

  // A further model, whose index is the next; number: of the store's table.
  void AddModel(std::uint32_t number);
  std::uint32_t model(std::size_t index) const { return models_[index]; }
  // The index of a model by its number; also one that was added with `AlsoKnownAs`. Nothing: none.
  std::optional<std::uint32_t> ModelOf(std::uint32_t number) const;
  // States of another number are of that model too.
  void AlsoKnownAs(std::size_t index, std::uint32_t number);

  // The entries of the group that is being written; models by index.
  void NoteReading(absl::string_view stream, std::size_t model, const Reading& reading, Outcome outcome,
                   Reason reason);
  void NoteState(absl::string_view stream, std::size_t model, const StreamHeader& header,
                 std::span<const float> floats);
  void NoteDelete(absl::string_view stream);
  void NoteReset(absl::string_view stream) { group_.AddReset(stream); }

  // Ends the group. alone: the shard has nothing else to do, and nobody waits for an earlier group. Then, if
  // this one and the one before are small, the call may last until it is durable, see Store::Submitter.
  // (After a large one more may be on its way already.)
  void Submit(bool alone = false);

  // The last group that was submitted: the table's streams contain all up to it, if nothing was noted since.
  std::uint64_t position() const { return position_; }
  // All groups up to `position`, which were written by an earlier process, are in the shard's streams.
  void Replayed(std::uint64_t position) { position_ = durable_ = position; }
  // Groups up to `position` are durable.
  void Durable(std::uint64_t position) { durable_ = std::max(durable_, position); }
  std::uint64_t durable() const { return durable_; }
  bool all_durable() const { return durable_ >= position_; }

  // The streams deleted since the last call, and not begun again: the store may still have their states.
  absl::flat_hash_set<std::string> TakeDeleted() { return std::exchange(deleted_, {}); }
  std::size_t deleted() const { return deleted_.size(); }
  bool IsDeleted(absl::string_view stream) const { return !deleted_.empty() && deleted_.contains(stream); }
  // What a replay finds of them.
  void AddDeleted(absl::string_view stream) { deleted_.emplace(stream); }
  void Begun(absl::string_view stream) { deleted_.erase(stream); }

  Store& store() { return store_; }
  // The store has failed a call that was made for the shard.
  void Fail(const absl::Status& status) { failed_(status); }

 private:
  Store& store_;
  std::function<void(const absl::Status&)> failed_;
  std::vector<std::uint32_t> models_;
  std::vector<std::uint32_t> index_of_;  // by number
  absl::flat_hash_set<std::string> deleted_;
  GroupWriter group_;
  bool small_ = false;  // the last group was
  std::uint64_t position_, durable_;
  std::unique_ptr<Store::Submitter> submitter_;  // the last to be made, the first to go
};

}  // namespace tidegate
