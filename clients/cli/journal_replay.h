#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/stream/replay.h"
#include "server/store/journal_entry.h"
#include "server/store/store_model.h"

namespace tidegate {

// The streams of a server, brought about once more from all that its journal says, one reading after the
// other. Not thread-safe.
class JournalReplay {
 public:
  using OnAnswer = std::function<void(const JournalReading&, const ReplayedStream::Answer&)>;

  // stored: the table that the journal's numbers of models are of, filled before the first entry. models: the
  // server's folder of models. Both must outlive it. on_answer: called with each reading.
  JournalReplay(const std::vector<StoredModel>& stored, std::string models, OnAnswer on_answer);

  // Errors: those of ReadModel. FailedPrecondition: a model with other weights or another model.json.
  // DataLoss: a reading is not taken as it was when it came, or a state is not one of its model.
  absl::Status Apply(const JournalEntry& entry);

  std::uint64_t readings() const { return readings_; }
  std::uint64_t applied() const { return applied_; }
  std::size_t streams() const { return streams_.size(); }
  // Lines about models that were stepped by other kernels, so that last bits may differ.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  absl::StatusOr<std::shared_ptr<const Model>> ModelOf(std::uint32_t number);
  absl::Status ApplyReading(const JournalReading& reading);
  absl::Status ApplyState(const JournalState& state);

  const std::vector<StoredModel>& stored_;
  const std::string folder_;
  const OnAnswer on_answer_;
  std::vector<std::shared_ptr<const Model>> models_;  // by number; null: not read yet
  absl::flat_hash_map<std::string, ReplayedStream> streams_;
  std::vector<std::string> warnings_;
  std::uint64_t readings_ = 0, applied_ = 0;
};

}  // namespace tidegate
