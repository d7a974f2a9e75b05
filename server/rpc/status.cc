#include "server/rpc/status.h"

#include <optional>
#include <string>

#include "absl/strings/string_view.h"
#include "compat/error_details.pb.h"
#include "server/fault/fault.h"
#include "server/text/utf8.h"

namespace tidegate {
namespace {

constexpr std::size_t kMessageBytes = 1024;
constexpr absl::Duration kUsualDelay = absl::Seconds(1);  // of a failure that is no Fault

std::optional<absl::Duration> RetryDelay(absl::StatusCode code, const std::optional<FaultDetails>& fault) {
  if (code != absl::StatusCode::kResourceExhausted && code != absl::StatusCode::kUnavailable) {
    return std::nullopt;
  }
  return fault ? DescribeFault(fault->fault).retry_delay : kUsualDelay;
}

}  // namespace

absl::Status DrainingStatus() {
  return Refusal(Fault::kDraining, "", "draining: this server is shutting down, call again");
}

absl::Status UntakenStatus() {
  return Refusal(Fault::kOverloaded, "",
                 "too many answers of this server have not been taken by its clients; call again later, and "
                 "read what is answered");
}

grpc::Status ToGrpcStatus(const absl::Status& status) {
  if (status.ok()) return grpc::Status::OK;
  const std::string message = ToUtf8(status.message(), kMessageBytes);
  google::rpc::Status rich;
  rich.set_code(static_cast<int>(status.code()));
  rich.set_message(message);

  const std::optional<FaultDetails> fault = FaultOf(status);
  google::rpc::ErrorInfo info;
  info.set_reason(fault ? DescribeFault(fault->fault).reason : absl::StatusCodeToString(status.code()));
  info.set_domain("tidegate");
  rich.add_details()->PackFrom(info);
  if (fault && !fault->field.empty()) {
    google::rpc::BadRequest request;
    google::rpc::BadRequest::FieldViolation& violation = *request.add_field_violations();
    violation.set_field(fault->field);
    violation.set_description(message.substr(fault->field.size() + 2));  // after "field: "
    rich.add_details()->PackFrom(request);
  }
  if (const auto delay = RetryDelay(status.code(), fault)) {
    google::rpc::RetryInfo retry;
    const absl::Duration below_second = *delay % absl::Seconds(1);
    retry.mutable_retry_delay()->set_seconds(*delay / absl::Seconds(1));
    retry.mutable_retry_delay()->set_nanos(static_cast<int>(absl::ToInt64Nanoseconds(below_second)));
    rich.add_details()->PackFrom(retry);
  }
  return {static_cast<grpc::StatusCode>(status.code()), message, rich.SerializeAsString()};
}

}  // namespace tidegate
