#include "clients/cli/server_error.h"

#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "compat/error_details.pb.h"

namespace tidegate {
namespace {

// "MODEL_NOT_FOUND, field model"; empty: nothing is known.
std::string Details(const std::string& serialized) {
  google::rpc::Status status;
  if (!status.ParseFromString(serialized)) return "";
  std::vector<std::string> details;
  for (const auto& any : status.details()) {
    google::rpc::ErrorInfo info;
    google::rpc::BadRequest request;
    google::rpc::RetryInfo retry;
    if (any.UnpackTo(&info)) {
      details.push_back(info.reason());
    } else if (any.UnpackTo(&request)) {
      for (const auto& violation : request.field_violations()) {
        details.push_back(absl::StrCat("field ", violation.field()));
      }
    } else if (any.UnpackTo(&retry)) {
      const absl::Duration delay =
          absl::Seconds(retry.retry_delay().seconds()) + absl::Nanoseconds(retry.retry_delay().nanos());
      details.push_back(absl::StrCat("may be tried again after ", absl::FormatDuration(delay)));
    }
  }
  return absl::StrJoin(details, ", ");
}

}  // namespace

absl::Status FromServer(const grpc::Status& status, const std::string& server) {
  if (status.ok()) return absl::OkStatus();
  std::string message = absl::StrCat("the server ", server, " says: ", status.error_message());
  if (const std::string details = Details(status.error_details()); !details.empty()) {
    absl::StrAppend(&message, " (", details, ")");
  }
  return {static_cast<absl::StatusCode>(status.error_code()), message};
}

}  // namespace tidegate
