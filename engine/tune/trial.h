#pragma once

#include <cstddef>
#include <functional>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/train/checkpoint.h"
#include "engine/train/series.h"
#include "engine/train/trainer.h"
#include "engine/tune/candidate.h"

namespace tidegate {

// Options with which a training may end at any time: a constant learning rate, a running mean of the weights,
// short epochs. Of `base` stay: what is forecast from what, and the share that validates.
TrainOptions TrialOptions(const TrainOptions& base, const Candidate& candidate);

// A candidate after some training.
struct Trained {
  TrainedModel model;     // the best epoch's
  Checkpoint checkpoint;  // to go on from
  // Its validation_loss: what all candidates can be compared by, whatever they take out of the values first.
  double loss = 0;
  std::size_t epochs = 0;
  double update_seconds = 0;  // of one update (forward, backward, step of Adam), validation left out
};

// Trains for so many seconds, to the end of the epoch that they end in, on as many threads as OpenMP has been
// told; goes on from `resume`, if not null. go_on: false ends it at once, may be null. Errors as those of
// Train; Cancelled: go_on ended it, and how good it is after so many seconds is not known.
absl::StatusOr<Trained> TrainFor(double seconds, const std::vector<Series>& series, const TrainOptions& base,
                                 const Candidate& candidate, const Checkpoint* resume = nullptr,
                                 const std::function<bool()>& go_on = nullptr);

}  // namespace tidegate
