#pragma once

#include <cstddef>
#include <memory>

#include "absl/status/statusor.h"
#include "engine/model/model.h"

namespace tidegate {

// A model with weights of which nothing was learnt: what it costs depends on its shape alone. Errors of
// CheckSpec.
absl::StatusOr<std::shared_ptr<const Model>> UntrainedModel(ModelSpec spec);

// Seconds that one reading takes, from the scaled inputs to the forecast, when `batch` streams are stepped
// together by this thread: the least of a few short runs, as whatever else runs only makes it longer.
double StepSeconds(const Model& model, std::size_t batch);

}  // namespace tidegate
