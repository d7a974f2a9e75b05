#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/model/spec.h"
#include "engine/train/dataset.h"
#include "engine/train/linear_path.h"
#include "engine/train/loss.h"
#include "engine/train/network.h"

namespace tidegate {

// Runs the network through the validation sequences, those of about one length together, `truncation` steps
// at a time or as many as memory is given to; its buffers are reused. Of interleaved chains each runs as a
// sequence of its own; of windows some thousands, evenly spread. A recursive head is judged by the next step
// while it learns, and in the end by the forecasts of the model that runs on with its own.
class Validator {
 public:
  // before: see ValidationSequences.
  Validator(const ModelSpec& spec, const std::vector<PreparedSeries>& data, std::size_t truncation,
            std::size_t before, const Loss& loss);

  // weights: as Network::WeightTensors. Mean loss over the validation targets and quantiles, in units of
  // step_deviation.
  double MeanLoss(const Tensors& weights);

  // The weights of the network beside the linear path [maps, horizon]; spec has the linear path by now.
  std::vector<float> FitMixing(const Tensors& weights, const LinearPath& linear,
                               std::span<const double> trust);

  struct Report {
    ValidationScore score;
    // As score.pinball, and |target - median forecast one step before|, both divided by OutputScale.
    double scaled_pinball = 0;
    std::vector<float> residuals;
    std::vector<float> ratios;  // [K*(Q-1), CalibrationTable::kLevels]; empty with one level
  };
  // linear: null for a network alone.
  Report Score(const Tensors& weights, const LinearPath* linear, std::span<const float> mixing);

 private:
  // Calls visit(chunk, outputs) for each chunk that has targets, with what the network is trained on.
  template <typename Visit>
  void Run(const Tensors& weights, Visit visit);
  // Steps of so many sequences that are run at once.
  std::size_t Steps(std::size_t sequences) const;
  // The same of some sequences at once.
  template <typename Visit>
  void RunTogether(std::span<const Sequence> sequences, Visit visit);
  // The same with the whole forecasts of the model.
  template <typename Visit>
  void RunForecasts(const Tensors& weights, Visit visit);
  // The row of the mixing for each origin of the chunk.
  std::vector<std::size_t> Maps() const;

  const ModelSpec& spec_;
  const std::vector<PreparedSeries>& data_;
  std::vector<Sequence> sequences_;
  std::size_t truncation_;
  Loss loss_;
  Network network_;
  Chunk chunk_;
  Matrix outputs_;
};

}  // namespace tidegate
