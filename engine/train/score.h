#pragma once

#include <cstddef>
#include <vector>

#include "engine/model/spec.h"
#include "engine/train/dataset.h"
#include "engine/train/network.h"

namespace tidegate {

// Runs the network through the validation sequences, `truncation` steps at a time; its buffers are reused.
class Validator {
 public:
  Validator(const ModelSpec& spec, const std::vector<PreparedSeries>& data, std::size_t truncation);

  // weights: as Network::WeightTensors. Mean pinball loss over the validation targets and quantiles, in units
  // of step_deviation.
  double Loss(const Tensors& weights);

  struct Report {
    ValidationScore score;
    std::vector<float> residuals;  // |target - median forecast one step before|, unit of the target
    std::vector<float> ratios;     // [K*(Q-1), CalibrationTable::kLevels]; empty with one level
  };
  Report Score(const Tensors& weights);

 private:
  // Calls visit(chunk, outputs) for each chunk that has targets.
  template <typename Visit>
  void Run(const Tensors& weights, Visit visit);

  const ModelSpec& spec_;
  const std::vector<PreparedSeries>& data_;
  std::vector<Sequence> sequences_;
  std::size_t steps_ = 0;  // of the longest sequence
  std::size_t truncation_;
  Network network_;
  Chunk chunk_;
  Matrix outputs_;
};

}  // namespace tidegate
