#pragma once

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidegate {

// Parses JSON from a file that may be hostile. InvalidArgument: over 1 MiB, not JSON, nested deeper than
// `depth`, or an object with the same key twice.
absl::StatusOr<nlohmann::json> ParseJson(absl::string_view text, int depth);

}  // namespace tidegate
