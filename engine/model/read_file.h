#pragma once

#include <filesystem>
#include <string>

#include "absl/status/statusor.h"

namespace tidegate {

// All of a file. NotFound: it cannot be opened. Unavailable: it cannot be read, as a folder or from a broken
// disk.
absl::StatusOr<std::string> ReadWholeFile(const std::filesystem::path& path);

}  // namespace tidegate
