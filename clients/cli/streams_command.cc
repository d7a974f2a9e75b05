#include <cstdint>
#include <iostream>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "clients/cli/commands.h"
#include "clients/cli/connection.h"
#include "clients/cli/forecaster_client.h"
#include "clients/cli/table.h"

namespace tidegate {
namespace {

constexpr std::uint32_t kPage = 1000;

struct StreamsCommand {
  ConnectionOptions connection;
  v1::ListStreamsRequest wanted;
  std::string id;
  std::string remove, reset;  // ids
  bool remove_all = false;
  std::size_t limit = 100;
};

std::string QualityText(std::uint32_t quality) {
  std::vector<std::string> bits;
  for (const auto& [bit, name] :
       {std::pair(v1::QUALITY_COLD, "cold"), std::pair(v1::QUALITY_BRIDGED, "bridged"),
        std::pair(v1::QUALITY_RESTARTED, "restarted"), std::pair(v1::QUALITY_IMPUTED, "imputed"),
        std::pair(v1::QUALITY_GAP, "gap")}) {
    if ((quality & static_cast<std::uint32_t>(bit)) != 0) bits.emplace_back(name);
  }
  return bits.empty() ? "good" : absl::StrJoin(bits, ", ");
}

// The streams of a server, over one connection.
class StreamsClient : ForecasterClient {
 public:
  using ForecasterClient::ForecasterClient;

  absl::Status Describe(const std::string& id) {
    v1::GetStreamRequest request;
    v1::StreamInfo stream;
    request.set_stream_id(id);
    if (auto s = Call(&v1::Forecaster::Stub::GetStream, request, stream); !s.ok()) return s;
    PrintStreams({stream});
    Table table({"step ahead", "scored", "MAE", "MASE", "pinball", "coverage", "mean width"}, 0);
    for (const v1::StepAccuracy& step : stream.accuracy()) {
      table.Add({absl::StrCat(step.step()), Grouped(step.scored()), absl::StrFormat("%.4g", step.mae()),
                 absl::StrFormat("%.3g", step.mase()), absl::StrFormat("%.4g", step.pinball()),
                 absl::StrFormat("%.1f %%", 100 * step.coverage()), absl::StrFormat("%.4g", step.width())});
    }
    std::cout << "\nIts forecasts so far:\n";
    table.Print(std::cout);
    return absl::OkStatus();
  }

  absl::Status Delete(const std::string& id) {
    v1::DeleteStreamRequest request;
    v1::DeleteStreamResponse response;
    request.set_stream_id(id);
    return Call(&v1::Forecaster::Stub::DeleteStream, request, response);
  }

  absl::Status Reset(const std::string& id) {
    v1::ResetStreamRequest request;
    v1::ResetStreamResponse response;
    request.set_stream_id(id);
    if (auto s = Call(&v1::Forecaster::Stub::ResetStream, request, response); !s.ok()) return s;
    std::cout << "Stream '" << id << "' begins anew with its next reading.\n";
    return absl::OkStatus();
  }

  // The first `limit` of those wanted, and how many more there are.
  absl::Status List(v1::ListStreamsRequest wanted, std::size_t limit) {
    std::vector<v1::StreamInfo> shown;
    std::size_t all = 0;
    const auto each = [&](const v1::StreamInfo& stream) {
      if (all++ < limit) shown.push_back(stream);
      return absl::OkStatus();
    };
    if (auto s = ForEach(std::move(wanted), each); !s.ok()) return s;
    PrintStreams(shown);
    std::cout << Grouped(all) << " streams";
    if (all > limit) std::cout << ", of which the first " << Grouped(limit) << " are shown (--limit)";
    std::cout << ".\n";
    return absl::OkStatus();
  }

  absl::Status DeleteAll(v1::ListStreamsRequest wanted) {
    std::size_t deleted = 0;
    absl::Status status = ForEach(std::move(wanted), [&](const v1::StreamInfo& stream) {
      absl::Status gone = Delete(stream.stream_id());
      if (absl::IsNotFound(gone)) return absl::OkStatus();  // somebody else was faster
      deleted += gone.ok() ? 1 : 0;
      return gone;
    });
    std::cout << Grouped(deleted) << " streams deleted.\n";
    return status;
  }

 private:
  // Calls `each` with the streams, page by page, until it returns an error.
  template <typename Each>
  absl::Status ForEach(v1::ListStreamsRequest request, const Each& each) {
    request.set_page_size(kPage);
    do {
      v1::ListStreamsResponse page;
      if (auto s = Call(&v1::Forecaster::Stub::ListStreams, request, page); !s.ok()) return s;
      for (const v1::StreamInfo& stream : page.stream()) {
        if (auto s = each(stream); !s.ok()) return s;
      }
      request.set_page_token(page.next_page_token());
    } while (!request.page_token().empty());
    return absl::OkStatus();
  }

  static void PrintStreams(const std::vector<v1::StreamInfo>& streams) {
    Table table({"stream", "model", "last reading (UTC)", "quality", "steps", "number", "anomaly score"}, 4);
    for (const v1::StreamInfo& stream : streams) {
      table.Add({stream.stream_id(), stream.model(),
                 stream.timestamp() < 0 ? "-" : UtcTime(stream.timestamp()), QualityText(stream.quality()),
                 Grouped(stream.steps()), Grouped(stream.sequence()),
                 absl::StrFormat("%.2f", stream.anomaly_score())});
    }
    table.Print(std::cout);
  }
};

absl::Status RunStreams(const StreamsCommand& command) {
  const auto connection = Connection::Open(command.connection);
  if (!connection.ok()) return connection.status();
  StreamsClient client(*connection, command.connection);
  if (!command.reset.empty()) return client.Reset(command.reset);
  if (!command.remove.empty()) {
    if (auto s = client.Delete(command.remove); !s.ok()) return s;
    std::cout << "Stream '" << command.remove << "' is deleted.\n";
    return absl::OkStatus();
  }
  if (!command.id.empty()) return client.Describe(command.id);
  return command.remove_all ? client.DeleteAll(command.wanted) : client.List(command.wanted, command.limit);
}

}  // namespace

void AddStreamsCommand(CLI::App& app, Run& run) {
  auto command = std::make_shared<StreamsCommand>();
  CLI::App* const streams =
      app.add_subcommand("streams", "Show the streams of a server, or one of them; delete or reset some");
  AddConnectionFlags(*streams, command->connection);
  auto* const id =
      streams->add_option("ID", command->id, "Only this stream, with how accurate its forecasts are");
  auto* const prefix = streams->add_option_function<std::string>(
      "--prefix", [command](const std::string& text) { command->wanted.set_prefix(text); },
      "Only streams whose id begins with this");
  auto* const model = streams->add_option_function<std::string>(
      "--model", [command](const std::string& name) { command->wanted.set_model(name); },
      "Only streams of this model");
  streams->add_option("--limit", command->limit, "Streams to show at most")->capture_default_str();
  auto* const reset =
      streams->add_option("--reset", command->reset, "A stream whose next reading is to be its first")
          ->type_name("ID");
  auto* const remove =
      streams->add_option("--delete", command->remove, "A stream to forget")->type_name("ID");
  auto* const all =
      streams->add_flag("--delete-all", command->remove_all, "Forget all streams that --prefix names")
          ->needs(prefix);
  for (CLI::Option* one : {id, reset, remove}) {
    for (CLI::Option* other : {id, reset, remove, all, prefix, model}) {
      if (one != other) one->excludes(other);
    }
  }
  streams->callback([command, &run] { run = [command] { return RunStreams(*command); }; });
}

}  // namespace tidegate
