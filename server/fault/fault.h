#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"

namespace tidegate {

// Why a request as a whole is refused. Each has a status code and, for clients' programs, a reason in
// UPPER_SNAKE: see DescribeFault.
enum class Fault : std::uint8_t {
  kMalformedRequest,  // bytes that are no message
  kInvalidField,      // a field whose value no such request may have
  kModelNotNamed,     // there is no default model
  kModelNotFound,
  kServiceNotFound,  // asked of health
  kStreamNotFound,
  kStreamExists,
  kStreamWithoutState,  // it has taken no reading
  kWeightsDiffer,       // a state made by other weights
  kTooManyStreamIds,    // named on one call
  kStreamsFull,         // no room for another stream
  kDiskFull,            // to keep another stream
  kSubscriptionsFull,   // no room for another subscription
  kModelServed,         // another version of it is
  kModelHasStreams,     // and they are not to be deleted
  kModelUnusable,       // its files cannot be served
  kModelsFull,          // no room for another model
  kNoBackups,           // the server makes none
  kBackupExists,        // another of this name
  kTokenMissing,        // authentication
  kTokenUnknown,
  kScopeMissing,      // of the token
  kOverloaded,        // too many readings are waiting
  kClientOverloaded,  // of this client
  kClientCalls,       // it has too many open
  kDeadline,          // was over before the request was looked at
  kIdle,              // nothing was sent for too long
  kDraining,          // the server is shutting down
  kRecovering,        // it has started and reads its journal
  kCount
};

struct FaultDescription {
  absl::StatusCode code;
  const char* reason;
  // How long to wait before the same request may succeed; infinite: it will not. Finite for
  // RESOURCE_EXHAUSTED and UNAVAILABLE.
  absl::Duration retry_delay;
};
FaultDescription DescribeFault(Fault fault);

// The status of a refused request. `field` is the path of the field at fault in the request, such as
// "state.weights_sha256", or empty; `description` says what was sent and what to send. The message is both:
// "horizon: 9 steps; model 'tiny' forecasts 3". Fault and field travel within the status.
absl::Status Refusal(Fault fault, absl::string_view field, absl::string_view description);

// The same refusal where what was refused is the field `outer` of the request: its field is "outer.field".
absl::Status RefusalWithin(absl::string_view outer, const absl::Status& refusal);

// What Refusal put into a status.
struct FaultDetails {
  Fault fault;
  std::string field;
};
std::optional<FaultDetails> FaultOf(const absl::Status& status);  // none: not made by Refusal

}  // namespace tidegate
