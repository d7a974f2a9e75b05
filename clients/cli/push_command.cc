#include <chrono>
#include <fstream>
#include <iostream>
#include <memory>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "clients/cli/answers_file.h"
#include "clients/cli/commands.h"
#include "clients/cli/feed.h"
#include "clients/cli/model_columns.h"
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
  std::string json;     // file; empty: none
  std::string answers;  // file; empty: none
};

absl::Status WriteJson(const std::string& file, const PushSummary& summary) {
  std::ofstream out(file);
  out << SummaryJson(summary);
  out.close();
  return out ? absl::OkStatus() : absl::UnavailableError(absl::StrCat(file, ": cannot be written"));
}

std::string Rounded(absl::Duration duration) {
  return absl::FormatDuration(
      absl::Trunc(duration, absl::Milliseconds(duration < absl::Seconds(10) ? 10 : 1000)));
}

// Says on standard error that the server is gone, and every few seconds that it still is.
class Interruptions {
 public:
  explicit Interruptions(absl::Duration retry_for) : retry_for_(retry_for) {}

  void Tell(const ResumingStream::Interruption& interruption) {
    if (interruption.why.ok()) {
      Say(absl::StrCat("goes on after ", Rounded(interruption.lasts)));
      gone_ = false;
    } else if (!gone_) {
      ++count_;
      gone_ = true;
      told_ = absl::ZeroDuration();
      Say(absl::StrCat(interruption.why.message(), "; connecting anew, for up to ", Rounded(retry_for_), ", ",
                       interruption.unanswered, " readings wait for their answer"));
    } else if (interruption.lasts - told_ >= kTellEvery) {
      told_ = interruption.lasts;
      Say(absl::StrCat("no answer for ", Rounded(interruption.lasts),
                       ", still connecting anew: ", interruption.why.message()));
    }
  }
  std::size_t count() const { return count_; }

 private:
  static constexpr absl::Duration kTellEvery = absl::Seconds(5);

  static void Say(const std::string& line) { std::cerr << "tidegate push: " << line << '\n' << std::flush; }

  const absl::Duration retry_for_;
  bool gone_ = false;
  absl::Duration told_;  // when last, since it is gone
  std::size_t count_ = 0;
};

// Whether the push did what it was to do.
absl::Status Judge(const PushSummary& summary) {
  const auto duplicates = summary.outcomes.find("DUPLICATE");
  const std::size_t there =
      summary.not_sent + (duplicates == summary.outcomes.end() ? 0 : duplicates->second);
  constexpr char kAnew[] = "to push them as new streams, name these with --stream-prefix";
  if (there == summary.readings) {
    std::cout << "The server has all of these readings already; " << kAnew << ".\n";
    return absl::OkStatus();
  }
  if (summary.outcomes.contains("APPLIED")) return absl::OkStatus();
  return absl::FailedPreconditionError(
      absl::StrCat("no reading was applied; if the server has these streams already, ", kAnew));
}

// As the server's model takes them.
absl::StatusOr<Readings> FitToServer(Readings readings, const PushCommand& command) {
  const auto model = AskModel(command.options);
  if (!model.ok()) return model.status();
  if (!*model) return readings;  // as they are: it checks how many values they have
  const v1::ModelInfo& info = **model;
  if (auto s = CheckInterval(readings.interval_ns, info.interval()); !s.ok()) return s;
  return FitToModel(std::move(readings),
                    {.model = info.model(),
                     .features = {info.feature().begin(), info.feature().end()},
                     .target = info.target(),
                     .channels = {info.channel().begin(), info.channel().end()}},
                    command.readings.target);
}

absl::Status RunPush(PushCommand command) {
  auto read = ReadReadings(command.file, command.readings);
  if (!read.ok()) return read.status();
  PrintNotes(*read, std::cerr);
  Interruptions interruptions(command.options.retry_for);
  command.options.on_interruption = [&](const auto& interruption) {
    interruptions.Tell(interruption);
    return absl::OkStatus();
  };
  const auto readings = FitToServer(*std::move(read), command);
  if (!readings.ok()) return readings.status();
  const Feed feed(*readings);
  std::cout << "Pushing " << Grouped(readings->size()) << " readings of " << readings->streams.size()
            << (readings->streams.size() == 1 ? " stream" : " streams") << " from " << command.file << " to "
            << command.options.connection.server << ": " << Grouped(feed.size()) << " ticks "
            << absl::FormatDuration(absl::Nanoseconds(readings->interval_ns))
            << " apart, as fast as they are answered.\n"
            << std::flush;

  PushCollector collector(*readings, command.options, command.readings.interval > absl::ZeroDuration());
  const auto begin = std::chrono::steady_clock::now();
  AnswersWriter answers(command.answers, *readings, command.options.stream_prefix);
  const auto not_sent = Push(*readings, feed, command.options, [&](const Answer& answer) {
    answers.Add(answer);
    return collector.Add(answer);
  });
  if (auto s = answers.Close(); !s.ok()) return s;
  if (!not_sent.ok() && interruptions.count() > 0 && !command.options.unary &&
      !absl::IsDataLoss(not_sent.status())) {
    return {not_sent.status().code(),
            absl::StrCat(not_sent.status().message(), "; push the file again, and it goes on where it was")};
  }
  if (!not_sent.ok()) return not_sent.status();
  const PushSummary summary = collector.Finish(absl::FromChrono(std::chrono::steady_clock::now() - begin),
                                               *not_sent, interruptions.count());
  if (summary.messages > 0) {
    PrintSummary(summary, std::cout);
    absl::Status written = command.json.empty() ? absl::OkStatus() : WriteJson(command.json, summary);
    if (!written.ok()) return written;
  }
  return Judge(summary);
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
  AddDurationFlag(*push, "--retry-for", command->options.retry_for,
                  "When the server goes away, keep the readings without an answer and connect anew for so "
                  "long before giving up; not with --unary");
  push->add_option("--json", command->json, "Write the summary to this file as well")->check(WritableFile());
  push->add_option("--answers", command->answers,
                   "Write every answer to this file, a row a reading, for 'tidegate replay --compare'")
      ->check(WritableFile());
  push->callback([&run, command] { run = [command] { return RunPush(*command); }; });
}

}  // namespace tidegate
