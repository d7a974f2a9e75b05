#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

#include "absl/time/time.h"

namespace tidegate {

// Whether a gRPC server of this machine accepts connections at `address` (HOST:PORT; of all addresses those
// of the loopback): opens one, sends the start of HTTP/2 and waits for an answer, or the end that a server
// with TLS makes of it, at most `timeout`. That the kernel takes the connection is not enough. Nothing: this
// cannot tell, as the host's name is not known now or the machine does not have the address now. Safe from
// any thread.
std::optional<bool> AcceptsConnections(const std::string& address, absl::Duration timeout);

// Notices that this process no longer serves although it lives: gRPC 1.51 listens no more once a connection
// has come while no file descriptor was free (grpc/grpc issues 16058, 20418, 31080), a thread may hang, and
// nothing but a restart helps. A thread asks from time to time, until the destructor.
class SelfProbe {
 public:
  struct Options {
    absl::Duration interval = absl::Seconds(5);  // from the start of one attempt to that of the next
    int failures = 3;                            // one after the other that are too many
  };

  // serves: one attempt, which takes a bounded time. `deaf` is called after too many failures; then the
  // probing ends. Both are called in the probe's thread.
  SelfProbe(std::function<bool()> serves, const Options& options, std::function<void()> deaf);
  ~SelfProbe();
  SelfProbe(const SelfProbe&) = delete;
  SelfProbe& operator=(const SelfProbe&) = delete;

 private:
  void Run();

  const std::function<bool()> serves_;
  const Options options_;
  const std::function<void()> deaf_;
  std::mutex mu_;
  std::condition_variable changed_;
  bool stop_ = false;  // guarded by mu_
  std::thread thread_;
};

}  // namespace tidegate
