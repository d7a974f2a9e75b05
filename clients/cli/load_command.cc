#include <unistd.h>

#include <fstream>
#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "clients/cli/commands.h"
#include "clients/cli/load.h"
#include "clients/cli/load_print.h"
#include "clients/cli/table.h"

namespace tidegate {
namespace {

struct LoadCommand {
  LoadOptions options;
  std::string json;  // file; empty: none
  std::string csv;   // the same
};

// One line on a terminal that is written over; nothing elsewhere.
class ProgressLine {
 public:
  ProgressLine() : terminal_(isatty(STDERR_FILENO) == 1) {}
  ~ProgressLine() {
    if (terminal_) std::cerr << "\r\033[K";
  }

  void Print(const LoadProgress& progress) const {
    if (!terminal_) return;
    std::cerr << "\r\033[K"
              << absl::StrFormat("  %s readings/s   %s%.0f s left",
                                 Grouped(static_cast<std::uint64_t>(progress.readings_per_second)),
                                 progress.warming_up ? "warming up   " : "",
                                 absl::ToDoubleSeconds(progress.left))
              << std::flush;
  }

 private:
  bool terminal_;
};

absl::Status WriteFile(const std::string& file, const std::string& text) {
  if (file.empty()) return absl::OkStatus();
  std::ofstream out(file);
  out << text;
  out.close();
  return out ? absl::OkStatus() : absl::UnavailableError(absl::StrCat(file, ": cannot be written"));
}

std::string Plural(std::size_t count, const char* thing) {
  return absl::StrCat(Grouped(count), " ", thing, count == 1 ? "" : "s");
}

void PrintPlan(const LoadOptions& options) {
  std::cout << "Load on " << options.connection.server << ": " << Plural(options.streams, "stream") << ", "
            << Plural(options.batch, "reading") << " a message, "
            << (options.unary ? "a call of Push for each, " : Plural(options.calls, "call") + " of Stream, ")
            << Plural(options.connections, "connection") << "; ";
  if (options.rate > 0) {
    std::cout << Grouped(static_cast<std::uint64_t>(options.rate)) << " readings/s, "
              << (options.poisson ? "at random times (Poisson)" : "evenly spaced");
  } else {
    std::cout << "as many as are answered, " << options.window << " messages unanswered"
              << (options.calls > 1 ? " on each call" : "");
  }
  std::cout << "; " << absl::FormatDuration(options.warm_up) << " of warm-up, then "
            << absl::FormatDuration(options.duration) << ".\n\n"
            << std::flush;
}

absl::Status RunLoadCommand(const LoadCommand& command) {
  PrintPlan(command.options);
  absl::StatusOr<LoadResult> result = absl::UnknownError("");
  {
    const ProgressLine line;
    result = RunLoad(command.options, [&line](const LoadProgress& progress) { line.Print(progress); });
  }
  if (!result.ok()) return result.status();
  PrintLoad(command.options, *result, std::cout);
  absl::Status written = WriteFile(command.json, LoadJson(command.options, *result));
  written.Update(WriteFile(command.csv, LoadCsv(command.options, *result)));
  if (!written.ok()) return written;
  if (!result->outcomes.contains("APPLIED")) {
    return absl::FailedPreconditionError("no reading was applied; the outcomes say why");
  }
  return absl::OkStatus();
}

}  // namespace

void AddLoadCommand(CLI::App& app, Run& run) {
  auto command = std::make_shared<LoadCommand>();
  LoadOptions& options = command->options;
  CLI::App* load = app.add_subcommand("load", "Put load on a server and measure how it answers");
  load->option_defaults()->always_capture_default();

  load->option_defaults()->group("The load");
  load->add_option("--streams", options.streams, "Streams, which take readings in turns")
      ->check(CLI::Range(1, 1 << 24));
  load->add_option_function<std::string>(
          "--rate",
          [&options](const std::string& text) {
            if (text != "max" &&
                (!absl::SimpleAtod(text, &options.rate) || !(options.rate >= 0 && options.rate <= 1e9))) {
              throw CLI::ValidationError("--rate", "'" + text + "' is neither readings per second nor max");
            }
          },
          "Readings per second over all streams, sent at their times whatever is answered;\n"
          "max or 0: as many as are answered")
      ->default_str("max");
  load->add_option_function<std::string>(
          "--arrivals", [&options](const std::string& text) { options.poisson = text == "poisson"; },
          "Times of a --rate: random, as of many independent sensors, or evenly spaced")
      ->check(CLI::IsMember({"poisson", "fixed"}))
      ->default_str("poisson");
  load->add_option("--window", options.window, "With --rate max: messages unanswered on each call")
      ->check(CLI::Range(1, 1 << 16));
  load->add_option("--batch", options.batch, "Readings of a message");
  load->add_option("--calls", options.calls, "Calls of Stream, which share the streams");
  load->add_option("--connections", options.connections, "Connections, which share the calls");
  load->add_flag("--unary", options.unary, "A call of Push for each message instead")
      ->always_capture_default(false);
  AddDurationFlag(*load, "--warm-up", options.warm_up, "Time under load before the measured time");
  AddDurationFlag(*load, "--duration", options.duration, "Measured time");
  load->add_option("--seed", options.seed, "Same seed: same values and times");

  load->option_defaults()->group("The server and what is asked of it");
  load->option_defaults()->always_capture_default(false);
  AddConnectionFlags(*load, options.connection);
  load->option_defaults()->always_capture_default();
  load->add_option("--model", options.model, "Model to ask (default: the server's)")
      ->always_capture_default(false);
  load->add_option("--features", options.features, "Values of a reading: the model's features");
  load->add_option("--stream-prefix", options.stream_prefix, "Streams are named PREFIX0, PREFIX1, ...");
  load->add_option("--horizon", options.horizon, "Steps of the forecasts to ask for; 0: all");
  load->add_option("--quantiles", options.quantiles, "Levels to ask for (default: all)")
      ->delimiter(',')
      ->always_capture_default(false);
  load->add_flag("--acknowledge-only", options.acknowledge_only, "Ask for no forecasts")
      ->always_capture_default(false);

  load->option_defaults()->group("The results");
  load->add_option("--json", command->json, "Write them to this file as well")
      ->always_capture_default(false)
      ->check(WritableFile());
  load->add_option("--csv", command->csv, "Write them to this file as well: a header and a line")
      ->always_capture_default(false)
      ->check(WritableFile());
  load->callback([&run, command] { run = [command] { return RunLoadCommand(*command); }; });
}

}  // namespace tidegate
