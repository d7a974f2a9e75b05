#include <map>
#include <string>

#include "absl/time/time.h"
#include "clients/cli/commands.h"

namespace tidegate {
namespace {

std::map<std::string, TimeUnit> TimeUnitsByFlag() {
  std::map<std::string, TimeUnit> units;
  for (const TimeUnit unit : kTimeUnits) units[TimeUnitFlag(unit)] = unit;
  return units;
}

}  // namespace

void AddReadingFlags(CLI::App& command, ReadingOptions& options) {
  command.option_defaults()->group("What the columns mean");
  command.add_option("--time-column", options.time_column,
                     "Times of the readings (default: the first column)");
  command.add_option_function<std::string>(
      "--interval",
      [&options](const std::string& text) {
        if (!absl::ParseDuration(text, &options.interval) || options.interval < absl::Nanoseconds(1) ||
            options.interval > absl::Hours(24 * 366)) {
          throw CLI::ValidationError(
              "--interval", "'" + text + "' is not a duration like 5s, 250ms or 1h, from 1ns to a year");
        }
      },
      "The time column holds row numbers, so far apart: 5s, 250ms, 1h\n"
      "(default: it holds RFC 3339 times or numbers since 1970)");
  command
      .add_option(
          "--time-unit", options.time_unit,
          "What numbers in the time column count since 1970: s, ms, us or ns\n(default: told by their size)")
      ->transform(CLI::CheckedTransformer(TimeUnitsByFlag()))
      ->excludes("--interval");
  command.add_flag(
      "--strict", options.strict,
      "Refuse a file whose times do not rise within each stream, in place of sorting the readings and\n"
      "keeping the first of each time");
  command.add_option("--stream-column", options.stream_column,
                     "Name of the stream (default: all rows are one)");
  command
      .add_option("--values", options.values,
                  "Columns of values, separated by commas, in the model's order\n"
                  "(default: every column without another meaning)")
      ->delimiter(',');
  command.add_option("--target", options.target, "The one of them to forecast (default: the first)");
  command.add_option("--label-column", options.label_column,
                     "Marks unusual readings; empty, 0, false and no do not");
  command.add_option_function<std::string>(
      "--rows",
      [&options](const std::string& text) {
        const auto range = ParseRowRange(text);
        if (!range.ok()) throw CLI::ValidationError("--rows", std::string(range.status().message()));
        options.rows = *range;
      },
      "Only rows FROM:TO of each stream, TO left out, the first is 0;\nnumbers or percentages (0%:70%)");
  command.add_option("--streams", options.streams, "Only these streams, separated by commas")->delimiter(',');
}

void PrintNotes(const Readings& readings, std::ostream& out) {
  out << readings.file << ": the times are " << readings.times << ".\n";
  for (const std::string& note : readings.notes) out << readings.file << ": " << note << '\n';
}

}  // namespace tidegate
