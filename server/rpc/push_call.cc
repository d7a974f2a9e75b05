#include "server/rpc/push_call.h"

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "server/fault/fault.h"
#include "server/rpc/limits.h"
#include "server/rpc/status.h"
#include "server/rpc/unary_call.h"

namespace tidegate {

PushCall::PushCall(ServingLoop& loop) : loop_(loop) {
  loop_.group().forecaster.RequestPush(&context_, &message_, &writer_, &loop_.queue(), &loop_.queue(),
                                       &start_);
}

void PushCall::Complete(Operation operation, bool ok) {
  if (operation == Operation::kStart && ok) {
    new PushCall(loop_);  // waits for the next client
    loop_.Opened(this);
    return Start();
  }
  // Sent, or never begun because the server is shutting down.
  if (operation == Operation::kFinish) {
    loop_.Closed(this);
    loop_.Sent(bytes_);
    if (client_ != nullptr) {
      client_->readings -= readings_;
      client_->unsent -= bytes_;
    }
  }
  delete this;
}

void PushCall::Start() {
  if (auto s = loop_.Authenticate(Method::kPush, context_); !s.ok()) return Refuse(s);
  if (loop_.draining()) return Refuse(DrainingStatus());
  if (loop_.admission().full()) {
    loop_.CountLack(Lack::kWaitingReadings);
    return Refuse(
        Refusal(Fault::kOverloaded, "", "too many readings are waiting on this server; push again later"));
  }
  if (auto s = CheckDeadline(context_); !s.ok()) return Refuse(s);
  client_ = loop_.ClientOf(context_);
  if (loop_.unsent_full(client_->unsent)) {
    loop_.CountLack(Lack::kUnsent);
    return Refuse(UntakenStatus());
  }
  if (client_->readings >= limits::kClientReadings) {
    loop_.CountLack(Lack::kClientLimit);
    return Refuse(Refusal(
        Fault::kClientOverloaded, "",
        absl::StrCat(limits::kClientReadings, " readings of this client are waiting; push again later")));
  }
  const auto admitted = loop_.admission().Admit(message_, nullptr, this);
  message_.Clear();
  if (!admitted.ok()) return Refuse(admitted.status());
  exchange_ = *admitted;
  readings_ = exchange_->size();
  bytes_ = exchange_->bytes;
  client_->readings += readings_;
  client_->unsent += bytes_;
  loop_.Sending(bytes_);
}

void PushCall::Refuse(const absl::Status& status) {
  loop_.CountRequest(Method::kPush, status.code());
  finishing_ = true;
  writer_.FinishWithError(ToGrpcStatus(status), &finish_);
}

void PushCall::Tick(absl::Time now) {
  if (finishing_ && stall_.Lasts(now, loop_.options().stalled)) {
    loop_.CountLack(Lack::kStalled);
    context_.TryCancel();
  }
}

void PushCall::Answer() {
  const auto counted = loop_.CountAnswer(Method::kPush, exchange_->received);
  finishing_ = true;
  writer_.Finish(Serialize(exchange_->response), grpc::Status::OK, &finish_);
  loop_.CountSend(counted);
  loop_.admission().Release(exchange_);
}

}  // namespace tidegate
