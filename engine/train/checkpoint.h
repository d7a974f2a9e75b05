#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/tensor/tensors.h"
#include "engine/train/series.h"

namespace tidegate {

struct TrainOptions;

// All that the epochs after one depend on, see Learner. A plain value.
struct LearnerState {
  std::vector<float> weights = {}, mean = {};  // mean: empty if none is kept
  std::vector<float> adam_mean = {}, adam_squares = {};
  std::size_t adam_steps = 0, updates = 0;
  std::vector<std::string> random = {};  // of the learner, then of each worker
};

// A training after one of its epochs: enough to go on as if it had not ended. A plain value.
struct Checkpoint {
  std::string made_with;  // TrainingIdentity
  std::size_t epoch = 0, best_epoch = 0;
  double best_loss = 0;
  Tensors best = {};  // weights
  LearnerState learner = {};
};

// What decides a training's bits, as a JSON object: options, workers, a digest of the readings.
std::string TrainingIdentity(const std::vector<Series>& series, const TrainOptions& options,
                             std::size_t workers);

// InvalidArgument, naming what differs: the checkpoint is of another training.
absl::Status CheckIdentity(const std::string& made_with, const std::string& now);

// A line of JSON, then the floats as safetensors.
std::string WriteCheckpoint(const Checkpoint& checkpoint);

// InvalidArgument: bytes that WriteCheckpoint does not write.
absl::StatusOr<Checkpoint> ParseCheckpoint(absl::string_view bytes);

}  // namespace tidegate
