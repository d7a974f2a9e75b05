#pragma once

#include <cstddef>
#include <optional>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/model/spec.h"
#include "engine/tensor/tensors.h"
#include "engine/train/dataset.h"
#include "engine/train/linear_path.h"
#include "engine/train/series.h"
#include "engine/train/trainer.h"

namespace tidegate {

// What training makes of the series before there is a network.
struct Preparation {
  std::vector<float> cycle;  // the model's table, or empty
  std::vector<PreparedSeries> data;
  LinearChoice choice;
  std::vector<std::size_t> periods;  // of the seasons
  std::optional<LinearPath> linear;
};

// Chooses and fits cycle and linear path as `options` asks, sets both and step_deviation in the spec, and
// prepares the series. The scales are there (FitScales). Cancelled: hooks.part says so.
absl::StatusOr<Preparation> Prepare(const std::vector<Series>& series, const std::vector<std::size_t>& splits,
                                    const TrainOptions& options, const TrainHooks& hooks, ModelSpec& spec);

// Fits the linear path that was chosen anew, on the validation rows too.
void RefitLinear(Preparation& preparation, ModelSpec& spec);

// Adds the tensors of the cycle and the linear path to those of the network. mixing: mixing.network.
void AddPaths(const ModelSpec& spec, const Preparation& preparation, const std::vector<float>& mixing,
              Tensors& tensors);

}  // namespace tidegate
