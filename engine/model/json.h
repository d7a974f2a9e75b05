#pragma once

#include <nlohmann/json.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidegate {

// Parses JSON from a file that may be hostile. InvalidArgument: over 1 MiB, not JSON, nested deeper than
// `depth`, or an object with the same key twice.
absl::StatusOr<nlohmann::json> ParseJson(absl::string_view text, int depth);

// JSON as text, in one line if indent is -1. Bytes that are not UTF-8, as a file's name may have, become
// U+FFFD: dump() alone throws.
template <typename Json>
std::string JsonText(const Json& json, int indent = -1) {
  return json.dump(indent, ' ', /*ensure_ascii=*/false, Json::error_handler_t::replace);
}

}  // namespace tidegate
