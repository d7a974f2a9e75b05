#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_unary_call.h>

#include <chrono>
#include <cstddef>

#include "absl/status/status.h"
#include "server/fault/fault.h"
#include "server/rpc/call.h"
#include "server/rpc/serving_loop.h"
#include "server/rpc/status.h"
#include "server/rpc/unknown_fields.h"

namespace tidegate {

// Ok, or DEADLINE_EXCEEDED: the client no longer waits for an answer.
inline absl::Status CheckDeadline(const grpc::ServerContext& context) {
  if (context.deadline() > std::chrono::system_clock::now()) return absl::OkStatus();
  return Refusal(Fault::kDeadline, "",
                 "the call's deadline was over before it was looked at; nothing was done");
}

// A call of Forecaster with one request and one answer, both protobuf messages. Is cancelled if its answer is
// not taken.
template <typename Request, typename Response>
class UnaryCall : public Call {
 public:
  // How such a call is waited for.
  using Wait = void (ForecasterService::*)(grpc::ServerContext*, Request*,
                                           grpc::ServerAsyncResponseWriter<Response>*, grpc::CompletionQueue*,
                                           grpc::ServerCompletionQueue*, void*);

  void Complete(Operation operation, bool ok) final {
    if (operation == Operation::kStart && ok) {
      WaitForNext();
      loop_.Opened(this);
      received_ = Work::Clock::now();
      const absl::Status status = Check();
      return status.ok() ? Serve() : Finish(status);
    }
    if (operation == Operation::kFinish) {
      loop_.Closed(this);
      loop_.Sent(unsent_);
    }
    delete this;
  }

  void Tick(absl::Time now) final {
    if (finishing_ && stall_.Lasts(now, loop_.options().stalled)) context_.TryCancel();
  }

 protected:
  // Waits for a client.
  UnaryCall(ServingLoop& loop, Method method, Wait wait) : loop_(loop), method_(method) {
    (loop_.group().forecaster.*wait)(&context_, &request_, &writer_, &loop_.queue(), &loop_.queue(), &start_);
  }

  // Another call of this kind waits for the next client.
  virtual void WaitForNext() = 0;

  // Answers the request with Finish, sooner or later, in the loop's thread.
  virtual void Serve() = 0;

  // Sends response_, or the error.
  void Finish(const absl::Status& status) {
    finishing_ = true;
    request_ = Request();  // which may be large, and the client may be slow to take the answer
    if (status.ok()) {
      unsent_ = response_.ByteSizeLong();
      loop_.Sending(unsent_);
      loop_.CountAnswer(method_, received_);
      writer_.Finish(response_, grpc::Status::OK, &finish_);
    } else {
      loop_.CountRequest(method_, status.code());
      writer_.FinishWithError(ToGrpcStatus(status), &finish_);
    }
  }

  ServingLoop& loop_;
  Request request_;
  Response response_;

 private:
  absl::Status Check() {
    if (auto s = loop_.Authenticate(method_, context_); !s.ok()) return s;
    if (loop_.draining()) return DrainingStatus();
    if (auto s = CheckDeadline(context_); !s.ok()) return s;
    if (auto s = CheckUnknownFields(CountUnknownFields(request_)); !s.ok()) return s;
    if (!loop_.unsent_full()) return absl::OkStatus();
    loop_.CountLack(Lack::kUnsent);
    return UntakenStatus();
  }

  const Method method_;
  Work::Clock::time_point received_;
  grpc::ServerContext context_;
  grpc::ServerAsyncResponseWriter<Response> writer_{&context_};
  Tag start_{this, Operation::kStart};
  Tag finish_{this, Operation::kFinish};
  bool finishing_ = false;  // the answer is on its way
  std::size_t unsent_ = 0;  // its bytes
  Stall stall_;             // of it
};

}  // namespace tidegate
