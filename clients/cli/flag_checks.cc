#include <unistd.h>

#include <filesystem>
#include <string>
#include <system_error>

#include "absl/strings/match.h"
#include "clients/cli/commands.h"

namespace tidegate {

CLI::Validator WritableFile() {
  return CLI::Validator(
      [](const std::string& file) -> std::string {
        std::error_code ignored;
        const std::filesystem::path path = std::filesystem::absolute(file, ignored);
        if (file.empty() || path.empty()) return "";
        if (std::filesystem::is_directory(path, ignored))
          return "'" + file + "' is a folder, expected a file";
        const std::string folder = path.parent_path().string();
        if (!std::filesystem::is_directory(folder, ignored)) return "there is no folder " + folder;
        const std::string target = std::filesystem::exists(path, ignored) ? path.string() : folder;
        return access(target.c_str(), W_OK) == 0 ? "" : "'" + file + "' cannot be written";
      },
      "");
}

void RefuseNegativeNumbers(CLI::App& command) {
  const CLI::Validator from_zero(
      [](const std::string& value) {
        return absl::StartsWith(value, "-") ? "'" + value + "', expected a whole number from 0 up" : "";
      },
      "");
  for (CLI::Option* option : command.get_options(
           [](const CLI::Option* any) { return absl::StartsWith(any->get_type_name(), "UINT"); })) {
    option->check(from_zero);
  }
}

}  // namespace tidegate
