// tidegate: trains models on CSV files and backtests them, pushes readings to a server, puts load on one,
// looks into models, and into those of a server, replays a server's journal, looks after its data, says which
// model suits some readings.

#include <CLI/CLI.hpp>
#include <exception>
#include <iostream>

#include "clients/cli/commands.h"

namespace {

constexpr int kWrongFlags = 2;
constexpr int kInterrupted = 130;  // as shells say of a program that SIGINT ended

int Main(int argc, char** argv) {
  CLI::App app("Tidegate's command line tool: forecasts for streams of sensor readings.", "tidegate");
  app.require_subcommand(1);
  app.set_config("--config", "",
                 "File of flags, one NAME=VALUE a line, in a section for each command: [train]");
  tidegate::Run run;
  tidegate::AddTrainCommand(app, run);
  tidegate::AddBacktestCommand(app, run);
  tidegate::AddTuneCommand(app, run);
  tidegate::AddCompareCommand(app, run);
  tidegate::AddPushCommand(app, run);
  tidegate::AddLoadCommand(app, run);
  tidegate::AddInspectCommand(app, run);
  tidegate::AddModelsCommand(app, run);
  tidegate::AddStreamsCommand(app, run);
  tidegate::AddRecommendCommand(app, run);
  tidegate::AddReplayCommand(app, run);
  tidegate::AddBackupCommand(app, run);
  tidegate::AddRestoreCommand(app, run);
  tidegate::AddStoreCommand(app, run);
  for (CLI::App* command : app.get_subcommands({})) tidegate::RefuseNegativeNumbers(*command);
  app.allow_config_extras(CLI::config_extras_mode::error);  // a misspelt name is no flag
  app.set_version_flag("--version", "tidegate " TIDEGATE_VERSION);
  const auto named = [&](const CLI::App* command) { return command->check_name(argv[1]); };
  if (argc > 1 && argv[1][0] != '-' && app.get_subcommands(named).empty()) {
    std::cerr << "tidegate: no command '" << argv[1] << "'; tidegate --help names those that there are\n";
    return kWrongFlags;
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : kWrongFlags;
  }

  const absl::Status status = run();
  if (status.ok()) return 0;
  std::cout.flush();
  std::cerr << "tidegate " << app.get_subcommands().front()->get_name() << ": " << status.message() << '\n';
  return status.code() == absl::StatusCode::kCancelled ? kInterrupted : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return Main(argc, argv);
  } catch (const std::exception& error) {  // out of memory, a full disk: nothing that a Status could carry
    std::cerr << "tidegate: " << error.what() << '\n';
    return 1;
  }
}
