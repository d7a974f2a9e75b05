#pragma once

#include "absl/status/status.h"
#include "server/options.h"

namespace tidegate {

// Serves until SIGTERM or SIGINT, then stops gracefully; a second signal ends the process at once. When all
// is ready, prints one line to stdout:
//   tidegate-server ready: grpc=HOST:PORT metrics=http://HOST:PORT/metrics
// To be called once, by main, while the process has no other thread.
absl::Status RunServer(const Options& options);

}  // namespace tidegate
