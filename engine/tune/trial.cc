#include "engine/tune/trial.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/time/clock.h"

namespace tidegate {
namespace {

constexpr std::size_t kForever = 1'000'000;     // epochs
constexpr std::size_t kPatience = 40;           // epochs without a better one: it has learnt what it can
constexpr std::size_t kEpochReadings = 65'536;  // most of an epoch, so that a rung's end comes soon
constexpr double kAveraging = 0.98;

}  // namespace

TrainOptions TrialOptions(const TrainOptions& base, const Candidate& candidate) {
  TrainOptions options = base;
  Apply(candidate, options);
  options.schedule.kind = ScheduleKind::kConstant;
  options.averaging = kAveraging;
  options.epochs = kForever;
  options.patience = kPatience;
  const std::size_t readings = options.window > 0 ? options.window : options.sequence_length;
  options.epoch_sequences = std::max<std::size_t>(options.batch, kEpochReadings / readings);
  return options;
}

absl::StatusOr<Trained> TrainFor(double seconds, const std::vector<Series>& series, const TrainOptions& base,
                                 const Candidate& candidate, const Checkpoint* resume,
                                 const std::function<bool()>& go_on) {
  const absl::Time begin = absl::Now();
  Trained trained;
  if (resume != nullptr) {  // it may have learnt all that it can
    trained.checkpoint = *resume;
    trained.epochs = resume->epoch;
  }
  bool ended = false;
  absl::Time epoch_begin = begin, last_batch = begin;
  absl::Duration learning;
  TrainHooks hooks = {.resume = resume};
  hooks.progress = [&](const TrainProgress& progress) {
    learning += last_batch - epoch_begin;
    trained.epochs = progress.epoch;
    epoch_begin = absl::Now();
    return epoch_begin - begin < absl::Seconds(seconds);
  };
  hooks.within = [&](const TrainMoment&) {
    last_batch = absl::Now();
    ended = go_on && !go_on();
    return !ended;
  };
  hooks.checkpoint = [&](const Checkpoint& checkpoint) {
    trained.checkpoint = checkpoint;
    return absl::OkStatus();
  };
  auto model = Train(series, TrialOptions(base, candidate), hooks);
  if (ended) return absl::CancelledError("stopped within the training");
  if (!model.ok()) return model.status();
  trained.model = *std::move(model);
  trained.loss = trained.model.validation_loss;
  const std::size_t before = resume == nullptr ? 0 : resume->learner.updates;
  trained.update_seconds =
      absl::ToDoubleSeconds(learning) /
      static_cast<double>(std::max<std::size_t>(trained.checkpoint.learner.updates - before, 1));
  return trained;
}

}  // namespace tidegate
