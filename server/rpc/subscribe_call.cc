#include "server/rpc/subscribe_call.h"

#include <utility>

#include "server/rpc/status.h"
#include "server/rpc/unknown_fields.h"

namespace tidegate {

SubscribeCall::SubscribeCall(ServingLoop& loop) : loop_(loop) {
  context_.AsyncNotifyWhenDone(&done_);  // comes only if the call begins
  loop_.group().forecaster.RequestSubscribe(&context_, &request_, &writer_, &loop_.queue(), &loop_.queue(),
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
      return Begin();
    case Operation::kWrite:
      writing_ = false;
      stall_ = {};
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
  received_ = Work::Clock::now();
  absl::Status status = loop_.Authenticate(Method::kSubscribe, context_);
  if (status.ok() && loop_.draining()) status = DrainingStatus();
  if (status.ok()) status = CheckUnknownFields(CountUnknownFields(request_));
  if (status.ok()) status = client_.Open(loop_.ClientOf(context_));
  if (status.ok()) status = client_.Subscribe();
  if (status.ok()) {
    auto opened = loop_.subscriptions().Open(request_, this, loop_.index());
    status = opened.status();
    if (opened.ok()) subscription_ = *std::move(opened);
  }
  if (!status.ok()) {
    loop_.CountRequest(Method::kSubscribe, status.code());
    End(status);
    return Advance();
  }
  beginning_ = true;
  BeginAt(0);
}

void SubscribeCall::BeginAt(std::size_t shard) {
  if (shard < loop_.shards() && !end_) {
    return loop_.At(
        shard, [this](ServingLoop& there) { there.subscriptions().Begin(subscription_); },
        [this, shard] { BeginAt(shard + 1); });
  }
  beginning_ = false;
  if (!end_) {
    loop_.CountAnswer(Method::kSubscribe, received_);
    writing_ = true;
    writer_.SendInitialMetadata(&write_);
  }
  Advance();
}

void SubscribeCall::Tick(absl::Time now) {
  if (!writing_ || !stall_.Lasts(now, loop_.options().stalled)) return;
  loop_.CountLack(Lack::kStalled);
  stall_ = {};
  context_.TryCancel();
}

void SubscribeCall::Drain() {
  End(DrainingStatus());
  Advance();
}

void SubscribeCall::End(const absl::Status& status) {
  if (end_) return;
  end_ = status;
  if (subscription_ == nullptr) return;
  loop_.Everywhere([ended = subscription_](ServingLoop& there) { there.subscriptions().End(ended); });
  loop_.subscriptions().Close();
}

// Does whatever may be done next. The only place where events are written and where the call ends.
void SubscribeCall::Advance() {
  if (gone_) End(absl::CancelledError("the client has gone"));
  if (beginning_) return;
  if (!gone_ && !writing_ && !finishing_ && subscription_ != nullptr) {
    if (const v1::Events* events = subscription_->Take(loop_.subscriptions().metrics())) {
      writing_ = true;
      writer_.Write(*events, &write_);
    }
  }
  if (end_ && !writing_ && !finishing_) {
    finishing_ = true;
    writer_.Finish(ToGrpcStatus(*end_), &finish_);
  }
  if (finished_ && call_done_) {
    if (subscription_ != nullptr) subscription_->Forget();
    loop_.Closed(this);
    delete this;
  }
}

}  // namespace tidegate
