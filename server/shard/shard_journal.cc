#include "server/shard/shard_journal.h"

#include <limits>

#include "server/store/broken.h"

namespace tidegate {
namespace {

constexpr std::size_t kSmall = 256;  // entries of a group
constexpr std::uint32_t kNoIndex = std::numeric_limits<std::uint32_t>::max();

}  // namespace

ShardJournal::ShardJournal(Store& store, std::function<void(std::uint64_t position)> through,
                           std::function<void(const absl::Status&)> failed)
    : store_(store), failed_(std::move(failed)), position_(store.opening().journal_end), durable_(position_) {
  submitter_ = store.AddSubmitter(
      [this, through = std::move(through)](const absl::Status& status, std::uint64_t position) {
        status.ok() ? through(position) : failed_(status);
      });
}

void ShardJournal::AddModel(std::uint32_t number) {
  models_.push_back(number);
  AlsoKnownAs(models_.size() - 1, number);
}

void ShardJournal::AlsoKnownAs(std::size_t index, std::uint32_t number) {
  if (index_of_.size() <= number) index_of_.resize(number + 1, kNoIndex);
  index_of_[number] = static_cast<std::uint32_t>(index);
}

std::optional<std::uint32_t> ShardJournal::ModelOf(std::uint32_t number) const {
  if (number >= index_of_.size() || index_of_[number] == kNoIndex) return std::nullopt;
  return index_of_[number];
}

void ShardJournal::NoteReading(absl::string_view stream, std::size_t model, const Reading& reading,
                               Outcome outcome, Reason reason) {
  if (!deleted_.empty()) Begun(stream);
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
  Begun(stream);
  group_.AddState({.stream = stream, .model = models_[model], .header = header, .floats = floats});
}

void ShardJournal::NoteDelete(absl::string_view stream) {
  group_.AddDelete(stream);
  AddDeleted(stream);
}

void ShardJournal::Submit(bool alone) {
  if (group_.empty()) return;
  const bool before = std::exchange(small_, group_.entries() <= kSmall);
  if (Broken(Break::kAcknowledgeWithoutJournal)) return group_.Clear();
  const auto submitted = submitter_->Submit(group_, alone && before && small_);
  if (!submitted.ok()) return failed_(submitted.status());
  position_ = submitted->position;
  if (submitted->durable) durable_ = position_;
}

}  // namespace tidegate
