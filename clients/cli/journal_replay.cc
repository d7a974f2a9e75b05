#include "clients/cli/journal_replay.h"

#include <limits>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cli/outcome_name.h"
#include "engine/model/model_file.h"

namespace tidegate {

JournalReplay::JournalReplay(const std::vector<StoredModel>& stored, std::string models, OnAnswer on_answer)
    : stored_(stored), folder_(std::move(models)), on_answer_(std::move(on_answer)) {}

absl::StatusOr<std::shared_ptr<const Model>> JournalReplay::ModelOf(std::uint32_t number) {
  if (number >= stored_.size()) {
    return absl::DataLossError(absl::StrCat("the journal names model number ", number, ", and the table has ",
                                            stored_.size(), ": restore a backup"));
  }
  models_.resize(stored_.size());
  if (models_[number] != nullptr) return models_[number];
  const StoredModel& stored = stored_[number];
  const std::string folder = absl::StrCat(folder_, "/", stored.name, "/", stored.version);
  auto model = ReadModel(folder);
  if (!model.ok()) return model.status();
  if (StateChecksum(**model) != stored.checksum) {
    return absl::FailedPreconditionError(
        absl::StrCat(folder, ": the checksums of its weights and model.json are ", StateChecksum(**model),
                     ", and the journal was made with ", stored.checksum, ": name the folder with those"));
  }
  const std::string build = StepBuild();
  if (build != stored.build) {
    warnings_.push_back(absl::StrCat("model '", stored.name, "' was stepped by ", stored.build, ", here are ",
                                     build, ": forecasts may differ in their last bits"));
  }
  models_[number] = *model;
  return *std::move(model);
}

absl::Status JournalReplay::Apply(const JournalEntry& entry) {
  switch (entry.kind) {
    case EntryKind::kReading:
      return ApplyReading(entry.reading);
    case EntryKind::kState:
      return ApplyState(entry.state);
    case EntryKind::kDelete:
      streams_.erase(std::string(entry.stream));
      return absl::OkStatus();
    case EntryKind::kReset:
      if (const auto stream = streams_.find(entry.stream); stream != streams_.end()) stream->second.Reset();
      return absl::OkStatus();
  }
  return absl::DataLossError("the journal has an entry of an unknown kind: restore a backup");
}

absl::Status JournalReplay::ApplyReading(const JournalReading& reading) {
  const auto model = ModelOf(reading.model);
  if (!model.ok()) return model.status();
  if (reading.values.size() != (*model)->spec().features.size()) {
    return absl::DataLossError(absl::StrCat("the journal has a reading of stream '", reading.stream,
                                            "' with ", reading.values.size(), " values: restore a backup"));
  }
  ReplayedStream& stream = streams_.try_emplace(std::string(reading.stream), *model).first->second;
  // What the clock said then stands in the journal.
  const std::int64_t latest_ns = reading.reason == Reason::kFutureTimestamp
                                     ? reading.timestamp_ns - 1
                                     : std::numeric_limits<std::int64_t>::max();
  const ReplayedStream::Answer answer = stream.Push({.timestamp_ns = reading.timestamp_ns,
                                                     .values = reading.values,
                                                     .sequence = reading.sequence,
                                                     .accept_gap = reading.accept_gap},
                                                    latest_ns);
  ++readings_;
  if (answer.outcome != reading.outcome) {
    return absl::DataLossError(absl::StrCat(
        "stream '", reading.stream, "', number ", reading.sequence, ", time ", reading.timestamp_ns,
        " ns: the journal says ", OutcomeName(static_cast<int>(reading.outcome)), ", its replay gives ",
        OutcomeName(static_cast<int>(answer.outcome))));
  }
  applied_ += answer.outcome == Outcome::kApplied;
  on_answer_(reading, answer);
  return absl::OkStatus();
}

absl::Status JournalReplay::ApplyState(const JournalState& state) {
  const auto model = ModelOf(state.model);
  if (!model.ok()) return model.status();
  if (!IsStream(**model, state.header, state.floats)) {
    return absl::DataLossError(absl::StrCat("the journal has a state of stream '", state.stream,
                                            "' that is not one of model '", (*model)->spec().name,
                                            "': restore a backup"));
  }
  streams_.insert_or_assign(
      std::string(state.stream),
      ReplayedStream(*model, state.header, std::vector<float>(state.floats.begin(), state.floats.end())));
  return absl::OkStatus();
}

}  // namespace tidegate
