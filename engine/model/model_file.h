#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "engine/model/model.h"

namespace tidegate {

// A model on disk is a folder with `model.json` (the spec) and `weights.safetensors`.

// Writes both files into `folder` (created if missing, its files replaced), the weights' checksum in the
// spec.
absl::Status WriteModel(const std::filesystem::path& folder, ModelSpec spec, const Tensors& tensors);

struct ModelFiles {
  ModelSpec spec;
  Tensors tensors;
};

// The checksum of some bytes, 64 hex digits.
std::string Sha256(const std::string& bytes);

// Reads both files and checks the checksum. Errors as ReadModel.
absl::StatusOr<ModelFiles> ReadModelFiles(const std::filesystem::path& folder);

// Reads, checks the checksum, packs, and replays the golden readings: the forecast must agree with the stored
// one to 1e-4 of a step's deviation in the stream's scale, and four of the value's last bits. NotFound: a
// file is missing. InvalidArgument, DataLoss (checksum, golden pair): the message names the file and what is
// wrong.
absl::StatusOr<std::shared_ptr<const Model>> ReadModel(const std::filesystem::path& folder);

// The forecast [horizon, Q], in the target's unit, of a new stream after `values` [T, F], one interval apart:
// what a server would answer to the last of them if it did not calibrate the intervals.
std::vector<float> ForecastAfter(const Model& model, std::span<const float> values);

// The forecasts after each of them [T, horizon, Q], and what each one's step_deviation is to be multiplied
// with [T], see OutputScale.
struct ForecastsOf {
  std::vector<float> forecasts, scales;
};
ForecastsOf ForecastsAlong(const Model& model, std::span<const float> values);

}  // namespace tidegate
