#include "server/rpc/stream_call.h"

#include "absl/strings/str_cat.h"
#include "server/fault/fault.h"
#include "server/rpc/request_check.h"
#include "server/rpc/status.h"

namespace tidegate {

StreamCall::StreamCall(ServingLoop& loop) : loop_(loop), streams_(loop.shards()) {
  context_.AsyncNotifyWhenDone(&done_);  // comes only if the call begins
  loop_.group().forecaster.RequestStream(&context_, &stream_, &loop_.queue(), &loop_.queue(), &start_);
}

void StreamCall::Complete(Operation operation, bool ok) {
  switch (operation) {
    case Operation::kStart:
      if (!ok) {  // the server is shutting down
        delete this;
        return;
      }
      new StreamCall(loop_);  // waits for the next client
      loop_.Opened(this);
      if (auto s = Begin(); !s.ok()) {
        loop_.CountRequest(Method::kStream, s.code());
        end_ = s;
      } else if (loop_.draining()) {
        Drain();
      }
      break;
    case Operation::kRead:
      reading_ = false;
      ++progress_;
      if (end_ || gone_) break;
      if (!ok) {
        end_ = absl::OkStatus();  // the client has sent all it wants to send
      } else if (!loop_.holds() && MayTake()) {
        TakeRequest();
      } else {
        if (!MayTake()) loop_.CountLack(loop_.admission().full() ? Lack::kWaitingReadings : Lack::kUnsent);
        held_ = true;
        loop_.Hold(this);
      }
      break;
    case Operation::kWrite:
      writing_ = false;
      stall_ = {};
      ++progress_;
      gone_ |= !ok;
      client_.Remove(writing_readings_);
      client_.Sent(writing_bytes_);
      loop_.Sent(writing_bytes_);
      break;
    case Operation::kFinish:
      finished_ = true;
      break;
    case Operation::kDone:
      call_done_ = true;
      gone_ |= context_.IsCancelled();
      break;
  }
  Advance();
}

absl::Status StreamCall::Begin() {
  if (auto s = loop_.Authenticate(Method::kStream, context_); !s.ok()) return s;
  return client_.Open(loop_.ClientOf(context_));
}

void StreamCall::Tick(absl::Time now) {
  if (writing_ && stall_.Lasts(now, loop_.options().stalled)) {
    loop_.CountLack(Lack::kStalled);
    stall_ = {};
    context_.TryCancel();
  }
  if (progress_ != seen_ || since_ > now) {
    seen_ = progress_;
    since_ = now;
  } else if (!end_ && !held_ && exchanges_.empty() && now - since_ >= loop_.options().idle) {
    end_ = Refusal(Fault::kIdle, "",
                   absl::StrCat("nothing was sent on this call for ", absl::FormatDuration(now - since_),
                                ": begin a new one when there are readings"));
    Advance();
  }
}

void StreamCall::Drain() {
  if (!end_) end_ = DrainingStatus();
  Advance();
}

void StreamCall::TakeRequest() {
  const std::size_t named = streams_.size();
  const auto admitted = loop_.admission().Admit(message_, &streams_, this);
  message_.Clear();
  if (!admitted.ok()) {
    loop_.CountRequest(Method::kStream, admitted.status().code());
    end_ = admitted.status();
    return;
  }
  exchanges_.push_back(*admitted);
  readings_ += (*admitted)->size();
  client_.Add((*admitted)->size());
  const std::size_t bytes = (*admitted)->bytes;
  held_bytes_ += bytes;
  client_.Sending(bytes);
  loop_.Sending(bytes);
  if (auto s = client_.Name(streams_.size() - named); !s.ok()) {
    loop_.CountLack(Lack::kClientLimit);
    end_ = s;  // after the answers that are due
  }
}

// Does whatever may be done next. The only place where operations begin and where the call ends.
void StreamCall::Advance() {
  if (gone_) DropAnswers();
  held_ &= !end_ && !gone_;
  if (!writing_ && answer_due()) WriteAnswer();
  if (!reading_ && !held_ && MayRead()) {
    reading_ = true;
    stream_.Read(&message_, &read_);
  }
  const bool over = gone_ || (end_ && exchanges_.empty());
  if (over && !writing_ && !finishing_) Finish();
  // A call whose client has gone still waits for the shard to be done with its requests.
  if (finished_ && call_done_ && !reading_ && exchanges_.empty()) {
    loop_.Closed(this);
    delete this;
  }
}

// What has come waits as it is, in bytes that are its connection's, while too many answers are not taken.
bool StreamCall::TakeHeld() {
  if (!held_) return true;  // the call has ended
  if (!MayTake()) return false;
  held_ = false;
  TakeRequest();
  Advance();
  return true;
}

bool StreamCall::MayRead() {
  if (end_ || gone_) return false;
  const bool room = readings_ < limits::kCallReadings && exchanges_.size() < limits::kCallRequests &&
                    held_bytes_ < limits::kCallBytes;
  const bool full = loop_.admission().full();
  const bool may = (exchanges_.empty() && !writing_) || (room && !full && !client_.full());
  if (!may && !paused_) {
    loop_.CountLack(!room ? Lack::kCallLimit : full ? Lack::kWaitingReadings : Lack::kClientLimit);
  }
  paused_ = !may;
  return may;
}

void StreamCall::DropAnswers() {
  while (answer_due()) {
    loop_.CountRequest(Method::kStream, absl::StatusCode::kCancelled);
    const std::size_t bytes = exchanges_.front()->bytes;
    client_.Remove(exchanges_.front()->size());
    client_.Sent(bytes);
    loop_.Sent(bytes);
    PopExchange();
  }
}

// All answers but the last that is due are written with a hint that more follows, so that gRPC sends them
// together. Never the first answer of a call: the hint would hold back the headers, which the write waits
// for.
void StreamCall::WriteAnswer() {
  Exchange& exchange = *exchanges_.front();
  const auto counted = loop_.CountAnswer(Method::kStream, exchange.received);
  const grpc::ByteBuffer bytes = Serialize(exchange.response);
  writing_bytes_ = exchange.bytes;
  writing_readings_ = exchange.size();
  PopExchange();
  grpc::WriteOptions options;
  if (answered_ && answer_due()) options.set_buffer_hint();
  answered_ = true;
  writing_ = true;
  stream_.Write(bytes, options, &write_);
  loop_.CountSend(counted);
}

void StreamCall::PopExchange() {
  Exchange* exchange = exchanges_.front();
  exchanges_.pop_front();
  readings_ -= exchange->size();
  held_bytes_ -= exchange->bytes;
  loop_.admission().Release(exchange);
}

void StreamCall::Finish() {
  finishing_ = true;
  stream_.Finish(ToGrpcStatus(gone_ ? absl::CancelledError("the client has gone") : *end_), &finish_);
}

}  // namespace tidegate
