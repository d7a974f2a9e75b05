#pragma once

#include <signal.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "absl/time/time.h"
#include "tests/support/process.h"

namespace tidegate {

// A server that dies and is started anew, on the same address and the same data, which are kept with their
// journal.
class MortalServer {
 public:
  // With the tiny model of the tests in folder/models, the data in folder/data. more: further arguments.
  // breaks: what is broken in it, as tests/faults/kill9/breakable.cc names it; empty: it is the true server.
  explicit MortalServer(std::filesystem::path folder, std::vector<std::string> more = {},
                        std::string breaks = "");

  // The next life begins.
  void Start();
  // Whether it serves within a minute.
  bool WaitUntilReady();
  // SIGKILL and SIGTERM; how it ended. exit_code -1: by a signal.
  Process::Result Kill() { return End(SIGKILL); }
  Process::Result Terminate() { return End(SIGTERM); }

  // HOST:PORT, once the first life was ready.
  const std::string& address() const { return address_; }

 private:
  Process::Result End(int signal);

  const std::filesystem::path folder_;
  const std::vector<std::string> more_;
  const std::string breaks_;
  std::string address_ = "127.0.0.1:0";
  std::optional<Process> process_;
};

}  // namespace tidegate
