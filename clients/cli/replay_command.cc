#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "clients/cli/answers_file.h"
#include "clients/cli/commands.h"
#include "clients/cli/journal_replay.h"
#include "clients/cli/table.h"
#include "server/store/store_tools.h"

namespace tidegate {
namespace {

struct ReplayCommand {
  std::string data;
  std::string models;
  std::vector<std::string> compare;  // files of answers
};

absl::Status RunReplay(const ReplayCommand& command) {
  ReceivedAnswers received;
  for (const std::string& file : command.compare) {
    if (auto s = received.Read(file); !s.ok()) return s;
  }
  std::vector<StoredModel> stored;
  JournalReplay replay(stored, command.models, [&](const JournalReading& reading, const auto& answer) {
    received.Compare(reading, answer);
  });
  StoreOptions store;
  store.folder = command.data;
  JournalEntry entry;
  std::size_t groups = 0;
  absl::Status status = ReadKeptJournal(store, stored, [&](GroupReader& group, double) -> absl::Status {
    ++groups;
    while (group.Next(entry)) {
      if (auto s = replay.Apply(entry); !s.ok()) return s;
    }
    return group.status();
  });
  if (!status.ok()) return status;
  received.Finish();
  for (const std::string& warning : replay.warnings()) std::cerr << "tidegate replay: " << warning << '\n';
  std::cout << "Replayed " << Grouped(replay.readings()) << " readings of " << Grouped(replay.streams())
            << (replay.streams() == 1 ? " stream" : " streams") << " from " << Grouped(groups)
            << " groups of the journal; " << Grouped(replay.applied())
            << " forecasts. Every outcome is the one that the journal says.\n";
  if (command.compare.empty()) return absl::OkStatus();
  std::cout << "Of " << Grouped(received.size()) << " answers that clients received, "
            << Grouped(received.compared()) << " are of readings in the journal, "
            << Grouped(received.forecasts()) << " with a forecast: " << Grouped(received.differences())
            << " differ.\n";
  if (received.differences() == 0) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat("the first difference: ", received.first()));
}

}  // namespace

void AddReplayCommand(CLI::App& app, Run& run) {
  auto command = std::make_shared<ReplayCommand>();
  CLI::App* replay = app.add_subcommand(
      "replay",
      "Recompute every forecast from the journal of a server that has ended (tidegate-server --data DIR "
      "--keep-journal), and compare with what clients received");
  replay->add_option("--data", command->data, "The server's folder")->type_name("DIR")->required();
  replay->add_option("--models", command->models, "Its folder of models")->type_name("DIR")->required();
  replay
      ->add_option("--compare", command->compare,
                   "Answers that 'tidegate push --answers FILE' has written; several files may be named. The "
                   "exit code is 1 if one differs in any bit")
      ->type_name("FILE");
  replay->callback([&run, command] { run = [command] { return RunReplay(*command); }; });
}

}  // namespace tidegate
