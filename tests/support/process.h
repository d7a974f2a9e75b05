#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "absl/time/time.h"

namespace tidegate {

// A child process with its output: what end-to-end tests start. The destructor kills it if it still runs.
// Waiting ends with the child's output or its end, never with a sleep; each wait has a limit. Not
// thread-safe.
class Process {
 public:
  struct Result {
    int exit_code = -1;  // -1: killed by a signal, or the limit passed and it was killed
    std::string out;
    std::string err;
  };

  // Starts `arguments[0]` with the rest. Aborts the test program if it cannot be started.
  explicit Process(std::vector<std::string> arguments);
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;
  ~Process();

  // The first line of standard output that begins with `prefix`; empty: the child ended, or the limit passed.
  std::string WaitForLine(const std::string& prefix, absl::Duration limit);

  // Whether `text` comes on standard error within the limit.
  bool WaitForError(const std::string& text, absl::Duration limit);

  void Signal(int signal);

  // Waits for the child's end.
  Result Wait(absl::Duration limit);

  pid_t pid() const { return pid_; }

 private:
  // Reads what is there, waiting for it at most until `deadline`; false: both outputs are closed, or it is
  // late.
  bool Read(absl::Time deadline);

  pid_t pid_ = -1;
  bool ended_ = false;
  int out_fd_ = -1;
  int err_fd_ = -1;
  Result result_;
};

// Starts, waits at most a minute, and returns what came of it.
Process::Result RunProcess(std::vector<std::string> arguments);

}  // namespace tidegate
