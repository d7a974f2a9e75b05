#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/time/time.h"
#include "clients/cli/commands.h"
#include "clients/cli/table.h"
#include "server/store/store_tools.h"

namespace tidegate {
namespace {

StoreOptions In(const std::string& folder) {
  StoreOptions options;
  options.folder = folder;
  return options;
}

std::string Megabytes(std::uint64_t bytes) {
  return absl::StrCat(Grouped((bytes + 999'999) / 1'000'000), " MB");
}

std::string Time(std::int64_t ns) { return absl::FormatTime(absl::FromUnixNanos(ns), absl::UTCTimeZone()); }

// A word of it now and then, on one line.
void Say(absl::string_view progress) { std::cerr << "  " << progress << " read   \r" << std::flush; }

void PrintModels(const StoreReport& report) {
  if (report.models.empty()) return;
  const bool counted = !report.model_states.empty();
  std::vector<std::string> header = {"model", "version", "weights", "stepped by"};
  if (counted) header.emplace_back("states");
  Table table(std::move(header), 4);
  for (std::size_t i = 0; i < report.models.size(); ++i) {
    const StoredModel& model = report.models[i];
    std::vector<std::string> row = {model.name, absl::StrCat(model.version), model.checksum.substr(0, 12),
                                    model.build};
    if (counted) row.push_back(Grouped(report.model_states[i]));
    table.Add(std::move(row));
  }
  std::cout << '\n';
  table.Print(std::cout);
}

absl::Status Inspect(const std::string& folder) {
  const auto report = InspectStore(In(folder));
  if (!report.ok()) return report.status();
  std::cout << "Store " << report->store_id << ", format " << report->format << ", "
            << Megabytes(report->disk_bytes) << " on disk, about " << Grouped(report->states)
            << " states of streams.\n"
            << (report->clean ? "It was closed in order: nothing is to be replayed.\n"
                              : absl::StrCat("It was not closed in order: a start replays ",
                                             Megabytes(report->replay_bytes), " of the journal.\n"));
  PrintModels(*report);
  return absl::OkStatus();
}

absl::Status Verify(const std::string& folder) {
  const auto report = VerifyStore(In(folder), Say);
  if (!report.ok()) return report.status();
  std::cout << "All of it can be read, and every checksum is right: " << Grouped(report->states)
            << " states of " << Megabytes(report->state_bytes) << ", and " << Grouped(report->entries)
            << " changes in " << Grouped(report->groups)
            << " groups of the journal since the last checkpoint";
  if (report->latest_ns != 0) {
    std::cout << ", with readings of " << Time(report->earliest_ns) << " to " << Time(report->latest_ns);
  }
  std::cout << ".\n";
  PrintModels(*report);
  return absl::OkStatus();
}

absl::Status Compact(const std::string& folder) {
  const auto before = InspectStore(In(folder));
  if (!before.ok()) return before.status();
  if (auto s = CompactStore(In(folder)); !s.ok()) return s;
  const auto after = InspectStore(In(folder));
  if (!after.ok()) return after.status();
  std::cout << "The store took " << Megabytes(before->disk_bytes) << " on disk and takes "
            << Megabytes(after->disk_bytes) << " now.\n";
  return absl::OkStatus();
}

}  // namespace

void AddStoreCommand(CLI::App& app, Run& run) {
  CLI::App* const store = app.add_subcommand(
      "store", "Look after the data (tidegate-server --data) of a server that does not run");
  store->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, absl::Status (*work)(const std::string&)) {
    auto folder = std::make_shared<std::string>();
    CLI::App* const command = store->add_subcommand(name, help);
    command->add_option("DIR", *folder, "The server's --data, or a backup")->required();
    command->callback([&run, folder, work] { run = [folder, work] { return work(*folder); }; });
  };
  add("inspect", "Say what the data are of, and what a start would do", Inspect);
  add("verify", "Read all of it and check it; changes nothing. The exit code is 1 if anything is damaged",
      Verify);
  add("compact", "Rewrite the files of states without what was deleted or replaced", Compact);
}

}  // namespace tidegate
