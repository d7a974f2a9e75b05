#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_split.h"
#include "absl/time/time.h"
#include "clients/cli/commands.h"
#include "clients/cli/connection.h"
#include "clients/cli/forecaster_client.h"
#include "clients/cli/table.h"

namespace tidegate {
namespace {

struct ModelsCommand {
  ConnectionOptions connection;
  std::string load;  // NAME or NAME:VERSION; empty: none
  std::string unload;
  bool delete_streams = false;
  std::string set_default;
};

// The models of a server, over one connection.
class ModelsClient : ForecasterClient {
 public:
  using ForecasterClient::ForecasterClient;

  absl::Status Load(const std::string& wanted) {
    const std::pair<std::string, std::string> parts = absl::StrSplit(wanted, absl::MaxSplits(':', 1));
    v1::LoadModelRequest request;
    v1::ModelInfo model;
    std::uint64_t version = 0;
    if (!parts.second.empty() && !absl::SimpleAtoi(parts.second, &version)) {
      return absl::InvalidArgumentError(
          absl::StrCat("--load '", wanted, "': expected NAME or NAME:VERSION, the version a number"));
    }
    request.set_model(parts.first);
    request.set_version(version);
    if (auto s = Call(&v1::Forecaster::Stub::LoadModel, request, model); !s.ok()) return s;
    std::cout << "Model '" << model.model() << "' version " << model.version() << " is served.\n";
    return absl::OkStatus();
  }

  absl::Status Unload(const std::string& name, bool delete_streams) {
    v1::UnloadModelRequest request;
    v1::UnloadModelResponse response;
    request.set_model(name);
    request.set_delete_streams(delete_streams);
    if (auto s = Call(&v1::Forecaster::Stub::UnloadModel, request, response); !s.ok()) return s;
    std::cout << "Model '" << name << "' is no longer served; " << Grouped(response.deleted_streams())
              << " streams deleted.\n";
    return absl::OkStatus();
  }

  absl::Status SetDefault(const std::string& name) {
    v1::SetDefaultModelRequest request;
    v1::SetDefaultModelResponse response;
    request.set_model(name);
    if (auto s = Call(&v1::Forecaster::Stub::SetDefaultModel, request, response); !s.ok()) return s;
    std::cout << "Model '" << name << "' is the default.\n";
    return absl::OkStatus();
  }

  absl::Status List() {
    v1::ListModelsResponse response;
    if (auto s = Call(&v1::Forecaster::Stub::ListModels, v1::ListModelsRequest(), response); !s.ok())
      return s;
    Table table({"model", "forecasts", "version", "default", "interval", "steps", "parameters", "streams",
                 "bytes a stream", "validation MAE", "last value's"},
                2);
    for (const v1::ModelInfo& model : response.model()) {
      table.Add({model.model(), model.target(), absl::StrCat(model.version()),
                 model.is_default() ? "yes" : "", absl::FormatDuration(absl::Nanoseconds(model.interval())),
                 absl::StrCat(model.horizon()), Grouped(model.parameters()), Grouped(model.streams()),
                 Grouped(model.stream_bytes()), absl::StrFormat("%.4g", model.validation_mae()),
                 absl::StrFormat("%.4g", model.validation_persistence_mae())});
    }
    table.Print(std::cout);
    return absl::OkStatus();
  }
};

absl::Status RunModels(const ModelsCommand& command) {
  const auto connection = Connection::Open(command.connection);
  if (!connection.ok()) return connection.status();
  ModelsClient client(*connection, command.connection);
  if (!command.load.empty()) {
    if (auto s = client.Load(command.load); !s.ok()) return s;
  }
  if (!command.set_default.empty()) {
    if (auto s = client.SetDefault(command.set_default); !s.ok()) return s;
  }
  if (!command.unload.empty()) {
    if (auto s = client.Unload(command.unload, command.delete_streams); !s.ok()) return s;
  }
  return client.List();
}

}  // namespace

void AddModelsCommand(CLI::App& app, Run& run) {
  auto command = std::make_shared<ModelsCommand>();
  CLI::App* const models = app.add_subcommand(
      "models",
      "Show the models that a server serves; load one, choose the default, unload one, in this order");
  AddConnectionFlags(*models, command->connection);
  models
      ->add_option("--load", command->load,
                   "Serve a model of the server's folder; without a version the highest")
      ->type_name("NAME[:VERSION]");
  models
      ->add_option("--set-default", command->set_default,
                   "Requests that name no model mean this one from now on")
      ->type_name("NAME");
  auto* const unload =
      models->add_option("--unload", command->unload, "No longer serve a model")->type_name("NAME");
  models
      ->add_flag("--delete-streams", command->delete_streams,
                 "With --unload: even if it has streams, which end")
      ->needs(unload);
  models->callback([command, &run] { run = [command] { return RunModels(*command); }; });
}

}  // namespace tidegate
