#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"

namespace tidegate {

// Asks the gRPC server at `address` (HOST:PORT) for its health, service "" of grpc.health.v1. OK: SERVING.
// Unavailable: it cannot be reached within `timeout`, or says something else.
absl::Status CheckHealth(const std::string& address, absl::Duration timeout);

}  // namespace tidegate
