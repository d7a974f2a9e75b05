#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "clients/cli/commands.h"
#include "clients/cli/feed.h"
#include "clients/cli/push_client.h"
#include "clients/cli/push_collector.h"
#include "clients/cli/push_summary.h"
#include "clients/cli/table.h"

namespace tidegate {
namespace {

struct PushCommand {
  std::string file;
  ReadingOptions readings;
  PushOptions options;
  std::string json;  // file; empty: none
};

absl::Status WriteJson(const std::string& file, const PushSummary& summary) {
  std::ofstream out(file);
  out << SummaryJson(summary);
  out.close();
  return out ? absl::OkStatus() : absl::UnavailableError(absl::StrCat(file, ": cannot be written"));
}

absl::Status RunPush(const PushCommand& command) {
  const auto readings = ReadReadings(command.file, command.readings);
  if (!readings.ok()) return readings.status();
  PrintNotes(*readings, std::cerr);
  const Feed feed(*readings);
  std::cout << "Pushing " << Grouped(readings->size()) << " readings of " << readings->streams.size()
            << (readings->streams.size() == 1 ? " stream" : " streams") << " from " << command.file << " to "
            << command.options.connection.server << ": " << Grouped(feed.size()) << " ticks "
            << absl::FormatDuration(absl::Nanoseconds(readings->interval_ns))
            << " apart, as fast as they are answered.\n"
            << std::flush;

  PushCollector collector(*readings, command.options, command.readings.interval > absl::ZeroDuration());
  const auto begin = std::chrono::steady_clock::now();
  absl::Status pushed =
      Push(*readings, feed, command.options, [&](const Answer& answer) { return collector.Add(answer); });
  if (!pushed.ok()) return pushed;
  const PushSummary summary = collector.Finish(absl::FromChrono(std::chrono::steady_clock::now() - begin));
  PrintSummary(summary, std::cout);
  if (!command.json.empty()) {
    absl::Status written = WriteJson(command.json, summary);
    if (!written.ok()) return written;
  }
  if (!summary.outcomes.contains("APPLIED")) {
    return absl::FailedPreconditionError(
        "no reading was applied; if the server has these streams already, name them anew with "
        "--stream-prefix");
  }
  return absl::OkStatus();
}

}  // namespace

void AddPushCommand(CLI::App& app, Run& run) {
  auto command = std::make_shared<PushCommand>();
  CLI::App* push = app.add_subcommand("push", "Push the readings of a CSV file to a server as a live feed");
  push->add_option("CSV", command->file, "File with a header line")->required();
  AddReadingFlags(*push, command->readings);
  push->option_defaults()->group("The server");
  AddConnectionFlags(*push, command->options.connection);
  push->add_option("--model", command->options.model, "Model to ask (default: the server's)");
  push->add_option("--stream-prefix", command->options.stream_prefix, "Put before the name of every stream");
  push->add_flag("--unary", command->options.unary, "One call per message instead of one for all");
  push->add_option("--json", command->json, "Write the summary to this file as well");
  push->callback([&run, command] { run = [command] { return RunPush(*command); }; });
}

}  // namespace tidegate
