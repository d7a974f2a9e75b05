#pragma once

#include <cstddef>

#include "absl/status/statusor.h"
#include "engine/model/model_file.h"
#include "engine/tensor/precision.h"

namespace tidegate {

// What lesser weights do to the forecasts after each of a model's golden readings, the warm-up left out
// unless nothing else is there.
struct PrecisionLoss {
  std::size_t forecasts = 0;
  double mean_change = 0;     // of all steps and quantiles; share of step_deviation
  double largest_change = 0;  // the same
  // Mean absolute errors of the medians against the golden readings that follow, over `scored` pairs; unit of
  // the target.
  std::size_t scored = 0;
  double mae_before = 0;
  double mae_after = 0;
};

struct ConvertedModel {
  ModelFiles files;  // golden forecast of the converted model; validation figures of the one before
  PrecisionLoss loss;
};

// A model of f32 with its weights in `precision`. InvalidArgument: `files` is no sound model, not f32, or
// `precision` is; a weight is too large.
absl::StatusOr<ConvertedModel> ConvertModel(const ModelFiles& files, Precision precision);

}  // namespace tidegate
