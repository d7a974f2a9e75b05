#include "server/rpc/health_call.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/fault/fault.h"
#include "server/rpc/status.h"

namespace tidegate {

using grpc::health::v1::HealthCheckResponse;

HealthCheckCall::HealthCheckCall(ServingLoop& loop) : loop_(loop) {
  loop_.group().health.RequestCheck(&context_, &request_, &writer_, &loop_.queue(), &loop_.queue(), &start_);
}

void HealthCheckCall::Complete(Operation operation, bool ok) {
  if (operation == Operation::kStart && ok) {
    new HealthCheckCall(loop_);  // waits for the next client
    loop_.Opened(this);
    HealthCheckResponse response;
    response.set_status(loop_.Health(request_.service()));
    if (response.status() == HealthCheckResponse::SERVICE_UNKNOWN) {
      const auto unknown = Refusal(Fault::kServiceNotFound, "service",
                                   absl::StrCat("no service '", request_.service().substr(0, 64), "'"));
      writer_.FinishWithError(ToGrpcStatus(unknown), &finish_);
    } else {
      writer_.Finish(response, grpc::Status::OK, &finish_);
    }
    return;
  }
  if (operation == Operation::kFinish) loop_.Closed(this);
  delete this;
}

HealthWatchCall::HealthWatchCall(ServingLoop& loop) : loop_(loop) {
  context_.AsyncNotifyWhenDone(&done_);  // comes only if the call begins
  loop_.group().health.RequestWatch(&context_, &request_, &writer_, &loop_.queue(), &loop_.queue(), &start_);
}

void HealthWatchCall::Complete(Operation operation, bool ok) {
  switch (operation) {
    case Operation::kStart:
      if (!ok) {  // the server is shutting down
        delete this;
        return;
      }
      new HealthWatchCall(loop_);  // waits for the next client
      loop_.Opened(this);
      over_ = loop_.draining();
      break;
    case Operation::kWrite:
      writing_ = false;
      over_ |= !ok;
      break;
    case Operation::kFinish:
      finished_ = true;
      break;
    case Operation::kDone:
      call_done_ = true;
      over_ = true;
      break;
    case Operation::kRead:
      break;  // a watch reads nothing
  }
  Advance();
}

void HealthWatchCall::Drain() {
  over_ = true;
  Advance();
}

void HealthWatchCall::Advance() {
  const HealthStatus status = loop_.Health(request_.service());
  if (!over_ && !writing_ && status != sent_) {
    HealthCheckResponse response;
    response.set_status(status);
    sent_ = status;
    writing_ = true;
    writer_.Write(response, &write_);
  }
  if (over_ && !writing_ && !finishing_) {
    finishing_ = true;
    writer_.Finish(ToGrpcStatus(Refusal(Fault::kDraining, "", "draining: this server is shutting down")),
                   &finish_);
  }
  if (finished_ && call_done_) {
    loop_.Closed(this);
    delete this;
  }
}

}  // namespace tidegate
