#pragma once

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "clients/cli/readings.h"
#include "engine/model/spec.h"

namespace tidegate {

// Which columns a model takes, whether from its file or from a server.
struct ModelColumns {
  std::string model;                  // its name
  std::vector<std::string> features;  // in their order
  std::string target;                 // one of them, the one that is forecast
  std::vector<std::string> channels;  // of a model that takes each of these as a stream of its own
};
ModelColumns ColumnsOf(const ModelSpec& spec);

// Readings as the model takes them, its target theirs. Columns of other names than the model's are taken in
// their order; those of its names must mean what it means. InvalidArgument: they do not, or there are more or
// fewer; `target` (empty: not said) is another feature; a channel's column is missing.
absl::StatusOr<Readings> FitToModel(Readings readings, const ModelColumns& model, const std::string& target);

}  // namespace tidegate
