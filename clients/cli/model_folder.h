#pragma once

#include <filesystem>
#include <functional>

#include "absl/status/status.h"
#include "engine/train/trainer.h"

namespace tidegate {

// DIR/<one more than the highest version there>.
std::filesystem::path NextVersion(const std::filesystem::path& folder);

// Writes the model beside its place, reads it back with every check, and only then moves it there: a server
// that starts meanwhile never finds half a model. beside: adds files of its own; may be null.
absl::Status SaveModel(const TrainedModel& trained, const std::filesystem::path& folder,
                       const std::function<absl::Status(const std::filesystem::path&)>& beside = nullptr);

}  // namespace tidegate
