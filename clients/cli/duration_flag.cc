#include <string>

#include "absl/time/time.h"
#include "clients/cli/commands.h"

namespace tidegate {

void AddDurationFlag(CLI::App& command, const std::string& flag, absl::Duration& duration,
                     const std::string& help) {
  command
      .add_option_function<std::string>(
          flag,
          [flag, &duration](const std::string& text) {
            if (!absl::ParseDuration(text, &duration) || duration < absl::ZeroDuration()) {
              throw CLI::ValidationError(flag, "'" + text + "' is not a duration like 10s, 500ms or 2m");
            }
          },
          help)
      ->default_str(absl::FormatDuration(duration));
}

}  // namespace tidegate
