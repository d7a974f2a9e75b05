#include "tests/faults/kill9/mortal_server.h"

#include <signal.h>
#include <stdlib.h>

#include <utility>

#include "tests/e2e/executables.h"

namespace tidegate {
namespace {

constexpr absl::Duration kLimit = absl::Minutes(1);

}  // namespace

MortalServer::MortalServer(std::filesystem::path folder, std::vector<std::string> more, std::string breaks)
    : folder_(std::move(folder)), more_(std::move(more)), breaks_(std::move(breaks)) {
  WriteTinyModel(folder_ / "models");
}

void MortalServer::Start() {
  process_.reset();
  std::vector<std::string> arguments = {"--data", (folder_ / "data").string(), "--keep-journal"};
  arguments.insert(arguments.end(), more_.begin(), more_.end());
  std::vector<std::string> command = ServerCommand(folder_ / "models", arguments, address_);
  if (!breaks_.empty()) command[0] = TIDEGATE_BREAKABLE_SERVER;
  setenv("TIDEGATE_BREAK", breaks_.c_str(), 1);
  process_.emplace(std::move(command));
}

bool MortalServer::WaitUntilReady() {
  const std::string address = ReadyWord(process_->WaitForLine("tidegate-server ready: ", kLimit), "grpc=");
  if (!address.empty()) address_ = address;
  return !address.empty();
}

Process::Result MortalServer::End(int signal) {
  process_->Signal(signal);
  return process_->Wait(kLimit);
}

}  // namespace tidegate
