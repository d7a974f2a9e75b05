#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidegate {

// One input of a model and its scale, fixed from the training readings.
struct Feature {
  std::string name;
  float mean = 0;                  // unit of the feature
  float deviation = 1;             // standard deviation of the values, > 0
  float difference_deviation = 1;  // standard deviation of value minus previous value, > 0
};

enum class CellKind { kGru, kLstm };

// Gates of a cell: the weights of a layer have so many rows for each unit.
constexpr std::size_t GatesOf(CellKind kind) { return kind == CellKind::kGru ? 3 : 4; }

// One recurrent layer.
struct LayerSpec {
  CellKind cell = CellKind::kGru;
  std::size_t units = 0;  // H, 1-4096
};

// Error of the model on its validation readings, for people who choose between models.
struct ValidationScore {
  double mae = 0;              // of the median, over all steps; unit of the target
  double persistence_mae = 0;  // of "the last value stays", same origins
  double pinball = 0;          // mean over steps and quantiles; unit of the target
  double coverage = 0;         // share of targets between the lowest and the highest quantile
  std::size_t origins = 0;     // forecasts scored
};

// Everything about a model but its weights: what it reads, how it is built, what it answers. Written as JSON
// (`model.json`) beside the weights. A plain value.
struct ModelSpec {
  std::string name;               // ^[a-z0-9][a-z0-9._-]{0,63}$
  std::int64_t interval_ns = 0;   // time between two readings of a stream, > 0
  std::vector<Feature> features;  // F, 1-1024
  std::size_t target = 0;         // index into features of what is forecast
  bool level_inputs = false;      // the network sees (value - mean) / deviation
  bool difference_inputs = true;  // the network sees (value - previous) / difference_deviation
  std::vector<LayerSpec> layers;  // in order from the input, 1-16
  std::size_t horizon = 0;        // steps of a forecast, 1-4096
  std::vector<float> quantiles;   // Q, rising, within (0, 1); odd count, the middle one is the point forecast
  std::vector<float>
      step_deviation;            // [horizon] standard deviation of target(t+h) - target(t): unit of the head
  std::size_t warm_up = 0;       // steps before a stream's forecasts are trusted
  std::size_t bridge_limit = 0;  // missing readings a stream steps over; more of them restart it
  std::string trained_on;        // free text: file, rows, streams
  ValidationScore validation;
  std::string weights_sha256;  // hex, of the whole weights file; empty before it is written

  // Width of the network's input: F for each kind of input that is on.
  std::size_t inputs() const {
    return features.size() * ((level_inputs ? 1 : 0) + (difference_inputs ? 1 : 0));
  }
  // Floats in one forecast, [horizon, Q].
  std::size_t outputs() const { return horizon * quantiles.size(); }
};

// InvalidArgument naming the field: a value outside the range given above, or sizes that disagree.
absl::Status CheckSpec(const ModelSpec& spec);

std::string WriteSpec(const ModelSpec& spec);  // JSON, indented, ends with a newline

// Parses and checks. InvalidArgument: not JSON, nested deeper than 32, an unknown or missing field, a wrong
// type.
absl::StatusOr<ModelSpec> ParseSpec(absl::string_view json);

}  // namespace tidegate
