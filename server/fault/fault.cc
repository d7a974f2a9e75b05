#include "server/fault/fault.h"

#include <array>

#include "absl/strings/cord.h"
#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

constexpr char kPayload[] = "tidegate/fault";  // a byte, the fault, and its field

// In the order of Fault.
constexpr std::array kDescriptions = {
    FaultDescription{absl::StatusCode::kInvalidArgument, "MALFORMED_REQUEST", absl::InfiniteDuration()},
    FaultDescription{absl::StatusCode::kInvalidArgument, "INVALID_FIELD", absl::InfiniteDuration()},
    FaultDescription{absl::StatusCode::kInvalidArgument, "MODEL_NOT_NAMED", absl::InfiniteDuration()},
    FaultDescription{absl::StatusCode::kNotFound, "MODEL_NOT_FOUND", absl::InfiniteDuration()},
    FaultDescription{absl::StatusCode::kNotFound, "SERVICE_NOT_FOUND", absl::InfiniteDuration()},
    FaultDescription{absl::StatusCode::kNotFound, "STREAM_NOT_FOUND", absl::InfiniteDuration()},
    FaultDescription{absl::StatusCode::kAlreadyExists, "STREAM_EXISTS", absl::InfiniteDuration()},
    FaultDescription{absl::StatusCode::kFailedPrecondition, "STREAM_WITHOUT_STATE", absl::InfiniteDuration()},
    FaultDescription{absl::StatusCode::kFailedPrecondition, "WEIGHTS_DIFFER", absl::InfiniteDuration()},
    FaultDescription{absl::StatusCode::kResourceExhausted, "TOO_MANY_STREAM_IDS", absl::ZeroDuration()},
    FaultDescription{absl::StatusCode::kResourceExhausted, "STREAMS_FULL", absl::Minutes(1)},
    FaultDescription{absl::StatusCode::kResourceExhausted, "DISK_FULL", absl::Minutes(1)},
    FaultDescription{absl::StatusCode::kResourceExhausted, "SUBSCRIPTIONS_FULL", absl::Minutes(1)},
    FaultDescription{absl::StatusCode::kFailedPrecondition, "MODEL_SERVED", absl::InfiniteDuration()},
    FaultDescription{absl::StatusCode::kFailedPrecondition, "MODEL_HAS_STREAMS", absl::InfiniteDuration()},
    FaultDescription{absl::StatusCode::kFailedPrecondition, "MODEL_UNUSABLE", absl::InfiniteDuration()},
    FaultDescription{absl::StatusCode::kResourceExhausted, "MODELS_FULL", absl::Minutes(1)},
    FaultDescription{absl::StatusCode::kFailedPrecondition, "NO_BACKUPS", absl::InfiniteDuration()},
    FaultDescription{absl::StatusCode::kAlreadyExists, "BACKUP_EXISTS", absl::InfiniteDuration()},
    FaultDescription{absl::StatusCode::kUnauthenticated, "TOKEN_MISSING", absl::InfiniteDuration()},
    FaultDescription{absl::StatusCode::kUnauthenticated, "TOKEN_UNKNOWN", absl::InfiniteDuration()},
    FaultDescription{absl::StatusCode::kPermissionDenied, "SCOPE_MISSING", absl::InfiniteDuration()},
    FaultDescription{absl::StatusCode::kResourceExhausted, "OVERLOADED", absl::Milliseconds(100)},
    FaultDescription{absl::StatusCode::kResourceExhausted, "CLIENT_OVERLOADED", absl::Milliseconds(100)},
    FaultDescription{absl::StatusCode::kResourceExhausted, "CLIENT_CALLS", absl::Seconds(1)},
    FaultDescription{absl::StatusCode::kDeadlineExceeded, "DEADLINE_EXCEEDED", absl::InfiniteDuration()},
    FaultDescription{absl::StatusCode::kUnavailable, "IDLE", absl::ZeroDuration()},
    FaultDescription{absl::StatusCode::kUnavailable, "DRAINING", absl::Seconds(1)},
    FaultDescription{absl::StatusCode::kUnavailable, "RECOVERING", absl::Seconds(1)},
};
static_assert(kDescriptions.size() == static_cast<std::size_t>(Fault::kCount));

}  // namespace

FaultDescription DescribeFault(Fault fault) { return kDescriptions[static_cast<std::size_t>(fault)]; }

absl::Status Refusal(Fault fault, absl::string_view field, absl::string_view description) {
  absl::Status status(DescribeFault(fault).code,
                      field.empty() ? std::string(description) : absl::StrCat(field, ": ", description));
  const auto number = static_cast<char>(fault);
  status.SetPayload(kPayload, absl::Cord(absl::StrCat(absl::string_view(&number, 1), field)));
  return status;
}

absl::Status RefusalWithin(absl::string_view outer, const absl::Status& refusal) {
  const auto details = FaultOf(refusal);
  if (!details) return refusal;
  const absl::string_view message = refusal.message();
  if (details->field.empty()) return Refusal(details->fault, outer, message);
  return Refusal(details->fault, absl::StrCat(outer, ".", details->field),
                 message.substr(details->field.size() + 2));  // after "field: "
}

std::optional<FaultDetails> FaultOf(const absl::Status& status) {
  const auto payload = status.GetPayload(kPayload);
  if (!payload) return std::nullopt;
  const std::string bytes(*payload);
  return FaultDetails{.fault = static_cast<Fault>(bytes.front()), .field = bytes.substr(1)};
}

}  // namespace tidegate
