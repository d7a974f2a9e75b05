#pragma once

#include <grpcpp/support/status.h>

#include "absl/status/status.h"

namespace tidegate {

// What a call ends with, or is refused with, that the server does not go on with as it is shutting down.
absl::Status DrainingStatus();

// What a call is refused with while clients leave so many answers that no further ones are to be made.
absl::Status UntakenStatus();

// The same code and message for the wire: both sides count codes alike. A failure carries a google.rpc.Status
// (compat/error_details.proto) with an ErrorInfo of domain "tidegate"; with a BadRequest if a field is at
// fault; and with a RetryInfo if RESOURCE_EXHAUSTED or UNAVAILABLE. Text that is not UTF-8 is made so, and a
// message of more than 1,024 bytes is cut: clients accept 8 KiB of trailers, which hold it thrice.
grpc::Status ToGrpcStatus(const absl::Status& status);

}  // namespace tidegate
