#pragma once

#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "proto/tls/pem.h"

namespace tidegate {

// Asks the gRPC server at `address` (HOST:PORT) for its health, service "" of grpc.health.v1; with TLS unless
// `tls` is empty. OK: SERVING. Unavailable: it cannot be reached within `timeout`, or says something else.
// Errors of MakeClientCredentials.
absl::Status CheckHealth(const std::string& address, absl::Duration timeout, const TlsFiles& tls = {});

}  // namespace tidegate
