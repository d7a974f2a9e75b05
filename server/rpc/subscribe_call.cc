#include "server/rpc/subscribe_call.h"

#include <utility>

#include "server/rpc/status.h"

namespace tidegate {

SubscribeCall::SubscribeCall(ServingLoop& loop) : loop_(loop) {
  context_.AsyncNotifyWhenDone(&done_);  // comes only if the call begins
  loop_.forecaster().RequestSubscribe(&context_, &request_, &writer_, &loop_.queue(), &loop_.queue(),
                                      &start_);
}

void SubscribeCall::Complete(Operation operation, bool ok) {
  switch (operation) {
    case Operation::kStart:
      if (!ok) {  // the server is shutting down
        delete this;
        return;
      }
      new SubscribeCall(loop_);  // waits for the next client
      loop_.Opened(this);
      Begin();
      break;
    case Operation::kWrite:
      writing_ = false;
      gone_ |= !ok;
      break;
    case Operation::kFinish:
      finished_ = true;
      break;
    case Operation::kDone:
      call_done_ = true;
      gone_ |= context_.IsCancelled();
      break;
    case Operation::kRead:
      break;  // a subscriber says nothing more
  }
  Advance();
}

void SubscribeCall::Begin() {
  const auto received = Work::Clock::now();
  absl::Status status = loop_.Authenticate(Method::kSubscribe, context_);
  if (status.ok() && loop_.draining()) {
    status = DrainingStatus();
  }
  if (status.ok()) {
    auto begun = loop_.subscriptions().Begin(request_, this);
    status = begun.status();
    if (begun.ok()) subscription_ = *std::move(begun);
  }
  if (!status.ok()) {
    loop_.CountRequest(Method::kSubscribe, status.code());
    return End(status);
  }
  loop_.CountAnswer(Method::kSubscribe, received);
  writing_ = true;
  writer_.SendInitialMetadata(&write_);
}

void SubscribeCall::Drain() {
  End(DrainingStatus());
  Advance();
}

void SubscribeCall::End(const absl::Status& status) {
  if (!end_) end_ = status;
  if (subscription_ != nullptr) loop_.subscriptions().End(*subscription_);
}

// Does whatever may be done next. The only place where events are written and where the call ends.
void SubscribeCall::Advance() {
  if (gone_) End(absl::CancelledError("the client has gone"));
  const bool waits = !gone_ && subscription_ != nullptr && !subscription_->empty();
  if (waits && !writing_ && !finishing_) {
    writing_ = true;
    writer_.Write(subscription_->Take(), &write_);
  }
  if (end_ && !waits && !writing_ && !finishing_) {
    finishing_ = true;
    writer_.Finish(ToGrpcStatus(*end_), &finish_);
  }
  if (finished_ && call_done_) {
    loop_.Closed(this);
    delete this;
  }
}

}  // namespace tidegate
