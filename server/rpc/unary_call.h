#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_unary_call.h>

#include <type_traits>

#include "absl/status/status.h"
#include "server/rpc/call.h"
#include "server/rpc/serving_loop.h"
#include "server/rpc/status.h"
#include "server/rpc/stream_service.h"

namespace tidegate {

// A call with one request and one answer that StreamService or ModelService gives at once.
template <typename Request, typename Response, typename Answerer = StreamService>
class UnaryCall final : public Call {
 public:
  using Service = ServingLoop::ForecasterService;
  // What waits for a client, and what answers it.
  struct Form {
    Method method;
    void (Service::*request)(grpc::ServerContext*, Request*, grpc::ServerAsyncResponseWriter<Response>*,
                             grpc::CompletionQueue*, grpc::ServerCompletionQueue*, void*);
    absl::Status (Answerer::*answer)(const Request&, Response&);
  };

  // Waits for a client.
  UnaryCall(ServingLoop& loop, const Form& form) : loop_(loop), form_(form) {
    (loop_.forecaster().*form_.request)(&context_, &request_, &writer_, &loop_.queue(), &loop_.queue(),
                                        &start_);
  }

  void Complete(Operation operation, bool ok) override {
    if (operation == Operation::kStart && ok) {
      new UnaryCall(loop_, form_);  // waits for the next client
      loop_.Opened(this);
      const auto received = Work::Clock::now();
      Response response;
      absl::Status status = loop_.Authenticate(form_.method, context_);
      if (status.ok()) status = (answerer().*form_.answer)(request_, response);
      if (status.ok()) {
        loop_.CountAnswer(form_.method, received);
        writer_.Finish(response, grpc::Status::OK, &finish_);
      } else {
        loop_.CountRequest(form_.method, status.code());
        writer_.FinishWithError(ToGrpcStatus(status), &finish_);
      }
      return;
    }
    if (operation == Operation::kFinish) loop_.Closed(this);
    delete this;
  }

 private:
  Answerer& answerer() {
    if constexpr (std::is_same_v<Answerer, ModelService>) {
      return loop_.models();
    } else {
      return loop_.streams();
    }
  }

  ServingLoop& loop_;
  Form form_;
  grpc::ServerContext context_;
  Request request_;
  grpc::ServerAsyncResponseWriter<Response> writer_{&context_};
  Tag start_{this, Operation::kStart};
  Tag finish_{this, Operation::kFinish};
};

}  // namespace tidegate
