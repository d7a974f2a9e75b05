#pragma once

#include <grpcpp/support/status.h>

#include <string>

#include "absl/status/status.h"

namespace tidegate {

// What ended a call to `server` (HOST:PORT), for people: its message, and from the error details, where there
// are any, the reason, the field at fault and how long to wait. OK stays OK. Details that cannot be read
// count as none.
absl::Status FromServer(const grpc::Status& status, const std::string& server);

}  // namespace tidegate
