#include <iostream>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "clients/cli/commands.h"
#include "clients/cli/connection.h"
#include "clients/cli/server_error.h"
#include "clients/cli/table.h"
#include "server/store/store_tools.h"
#include "tidegate/v1/forecaster.grpc.pb.h"

namespace tidegate {
namespace {

struct BackupCommand {
  ConnectionOptions connection;
  std::string name;
};

absl::Status RunBackup(const BackupCommand& command) {
  const auto connection = Connection::Open(command.connection);
  if (!connection.ok()) return connection.status();
  grpc::ClientContext context;
  connection->Authorize(context);
  v1::BackupRequest request;
  v1::BackupResponse response;
  request.set_name(command.name);
  const auto stub = v1::Forecaster::NewStub(connection->channel());
  if (auto s = FromServer(stub->Backup(&context, request, &response), command.connection.server); !s.ok())
    return s;
  std::cout << "Backup '" << response.name() << "' of " << Grouped(response.bytes()) << " bytes is in "
            << response.folder() << " on the server's machine.\n";
  return absl::OkStatus();
}

struct RestoreCommand {
  std::string backup;
  std::string data;
};

absl::Status RunRestore(const RestoreCommand& command) {
  const auto say = [](absl::string_view progress) { std::cerr << "  " << progress << " checked   \r"; };
  if (auto s = RestoreStore(command.backup, command.data, say); !s.ok()) return s;
  std::cout << "All of " << command.backup << " was checked and copied: start tidegate-server with --data "
            << command.data << ".\n";
  return absl::OkStatus();
}

}  // namespace

void AddBackupCommand(CLI::App& app, Run& run) {
  auto command = std::make_shared<BackupCommand>();
  CLI::App* const backup = app.add_subcommand("backup",
                                              "Have a server copy all of its streams, as of now, to a new "
                                              "folder below its --backups, while it serves");
  AddConnectionFlags(*backup, command->connection);
  backup->add_option("--name", command->name, "Name of the new folder; without it, the time")
      ->type_name("NAME");
  backup->callback([&run, command] { run = [command] { return RunBackup(*command); }; });
}

void AddRestoreCommand(CLI::App& app, Run& run) {
  auto command = std::make_shared<RestoreCommand>();
  CLI::App* const restore =
      app.add_subcommand("restore", "Check a backup, and copy it to where a server shall use it");
  restore->add_option("BACKUP", command->backup, "The backup's folder")->required();
  restore->add_option("--data", command->data, "Folder for the server's --data, with no store in it")
      ->type_name("DIR")
      ->required();
  restore->callback([&run, command] { run = [command] { return RunRestore(*command); }; });
}

}  // namespace tidegate
