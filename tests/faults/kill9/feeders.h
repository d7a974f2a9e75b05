#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "engine/model/model.h"
#include "tests/support/numbered_check.h"
#include "tests/support/soak_feed.h"

namespace tidegate {

// Clients that push to one server without end, each from a thread of its own over a connection of its own,
// and check every answer. Only what the tests of the server's death need of a client.
class Feeders {
 public:
  struct Sum {
    std::uint64_t answered = 0;    // readings
    std::uint64_t compared = 0;    // of them in all columns with the replay
    std::uint64_t duplicates = 0;  // answered once more, of these
    std::uint64_t repeated = 0;    // with the forecast of the answer that was lost
    std::uint64_t interruptions = 0;
  };

  // `clients` with `streams` each, which must be new to the server at `address`.
  Feeders(const std::shared_ptr<const Model>& model, std::string address, std::size_t clients,
          std::size_t streams, std::uint64_t seed);
  ~Feeders();                                                // Stop; without a server if there is a fault
  void Abandon(const std::string& fault) { Report(fault); }  // found by someone else
  Feeders(const Feeders&) = delete;
  Feeders& operator=(const Feeders&) = delete;

  // Waits until something is wrong, at most `limit`; true: something is.
  bool WaitForFault(absl::Duration limit);
  // Waits until that many more readings were answered; false: something is wrong.
  bool WaitForAnswers(std::uint64_t readings);

  // No more readings are sent; waits until all are answered. Then the server's cursors are compared as well.
  void Stop();

  // What was wrong first, in words; empty: nothing. An answer that is not the replay's, or readings that the
  // server had answered and lost, or a call that ended with an error.
  std::string fault() const;
  Sum sum() const;

 private:
  struct Client;
  void Run(Client& client);
  void Report(const std::string& fault);
  std::string CompareCursors(Client& client);

  const std::string address_;
  const ModelSpec& spec_;
  std::vector<std::unique_ptr<Client>> clients_;
  mutable absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  std::string fault_ ABSL_GUARDED_BY(mutex_);
  std::vector<std::thread> threads_;  // the last to be made
};

}  // namespace tidegate
