#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "clients/cli/readings.h"

namespace tidegate {

// The subcommands of `tidegate`. Each adds its flags to `app`; when it is the one called, `run` becomes its
// work.
using Run = std::function<absl::Status()>;
void AddTrainCommand(CLI::App& app, Run& run);
void AddBacktestCommand(CLI::App& app, Run& run);
void AddPushCommand(CLI::App& app, Run& run);
void AddLoadCommand(CLI::App& app, Run& run);
void AddInspectCommand(CLI::App& app, Run& run);
void AddModelsCommand(CLI::App& app, Run& run);
void AddStreamsCommand(CLI::App& app, Run& run);
void AddRecommendCommand(CLI::App& app, Run& run);
void AddReplayCommand(CLI::App& app, Run& run);
void AddBackupCommand(CLI::App& app, Run& run);
void AddRestoreCommand(CLI::App& app, Run& run);
void AddStoreCommand(CLI::App& app, Run& run);
void AddTuneCommand(CLI::App& app, Run& run);
void AddCompareCommand(CLI::App& app, Run& run);

// A flag whose value is a duration from 0 up, like 10s, 500ms or 2m; `duration` holds its default.
void AddDurationFlag(CLI::App& command, const std::string& flag, absl::Duration& duration,
                     const std::string& help);

// Checks of flags: that a file may be written where it is said to be, before hours of work for it; and, of
// all of a command's that hold a number from 0 up, that none is below (CLI11 would take it for a very large
// one).
CLI::Validator WritableFile();
void RefuseNegativeNumbers(CLI::App& command);

// The flags that say what the columns of a CSV file mean, the same for every command that reads one.
void AddReadingFlags(CLI::App& command, ReadingOptions& options);

// What the times are, and a line for each of Readings::notes.
void PrintNotes(const Readings& readings, std::ostream& out);

}  // namespace tidegate
