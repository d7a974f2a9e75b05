#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>

#include "absl/status/status.h"

namespace tidegate {

// Adds the outcomes of an answer, bytes of a PushResponse, to `outcomes` by name. Forecasts are not parsed,
// so that a load costs the client less than the server, unless some reading was not applied. Internal: bytes
// that are no answer to so many readings.
absl::Status CountOutcomes(grpc::ByteBuffer& answer, std::size_t readings,
                           std::map<std::string, std::uint64_t>& outcomes);

}  // namespace tidegate
