#include "server/shard/shard_journal.h"

#include "server/store/broken.h"

namespace tidegate {

ShardJournal::ShardJournal(Store& store, std::function<void(std::uint64_t position)> through,
                           std::function<void(const absl::Status&)> failed)
    : store_(store), failed_(std::move(failed)) {
  submitter_ = store.AddSubmitter(
      [this, through = std::move(through)](const absl::Status& status, std::uint64_t position) {
        status.ok() ? through(position) : failed_(status);
      });
}

void ShardJournal::NoteReading(absl::string_view stream, std::size_t model, const Reading& reading,
                               Outcome outcome, Reason reason) {
  group_.AddReading({.stream = stream,
                     .model = models_[model],
                     .timestamp_ns = reading.timestamp_ns,
                     .sequence = reading.sequence,
                     .accept_gap = reading.accept_gap,
                     .outcome = outcome,
                     .reason = reason,
                     .values = reading.values});
}

void ShardJournal::NoteState(absl::string_view stream, std::size_t model, const StreamHeader& header,
                             std::span<const float> floats) {
  group_.AddState({.stream = stream, .model = models_[model], .header = header, .floats = floats});
}

void ShardJournal::NoteDelete(absl::string_view stream) {
  group_.AddDelete(stream);
  deleted_.emplace_back(stream);
}

void ShardJournal::Submit() {
  if (group_.empty()) return;
  if (Broken(Break::kAcknowledgeWithoutJournal)) return group_.Clear();
  const auto submitted = submitter_->Submit(group_);
  if (!submitted.ok()) return failed_(submitted.status());
  position_ = submitted->position;
  if (submitted->durable) durable_ = position_;
}

}  // namespace tidegate
