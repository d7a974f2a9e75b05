#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/train/random.h"
#include "engine/train/trainer.h"
#include "engine/tune/family.h"

namespace tidegate {

// One point of the search space: the product of what the engine's cells can do, and how they are trained. A
// plain value.
struct Candidate {
  Family family = Family::kGru;
  std::size_t units = 32;     // of each recurrent layer
  std::size_t layers = 1;     // recurrent ones
  std::size_t context = 128;  // readings through which gradients flow; of the bidirectional family its window
  bool reset_before = false;  // gru, cnn_gru: the reset gate before the product
  bool residual = false;      // recurrent layers above the first add their input
  std::size_t kernel = 5;     // cnn families: readings under a filter
  std::size_t stride = 1;     // cnn families: readings from one output to the next
  bool level_inputs = false;  // values beside their differences
  bool season = false;        // the cycle that the options name is taken out first; else none is
  double learning_rate = 3e-3;
  double weight_decay = 0;
  float dropout = 0;  // between layers

  bool operator==(const Candidate&) const = default;
};

Candidate DefaultOf(Family family);

// Any point of the space; what the family has no use for is as in its default.
Candidate DrawCandidate(Random& random);

// A neighbour: one property drawn anew, different from before.
Candidate Mutate(const Candidate& candidate, Random& random);

// Sets what the candidate says, and leaves the rest.
void Apply(const Candidate& candidate, TrainOptions& options);

// "2 x gru 64, context 128, rate 0.003, dropout 0.1".
std::string TextOf(const Candidate& candidate);

// A JSON object; and back. InvalidArgument: not such a one.
std::string CandidateJson(const Candidate& candidate);
absl::StatusOr<Candidate> ParseCandidate(absl::string_view json);

}  // namespace tidegate
