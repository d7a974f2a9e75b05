#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/async_unary_call.h>

#include "compat/health.grpc.pb.h"
#include "server/rpc/call.h"
#include "server/rpc/serving_loop.h"

namespace tidegate {

// A call of grpc.health.v1.Health.Check.
class HealthCheckCall final : public Call {
 public:
  // Waits for a client.
  explicit HealthCheckCall(ServingLoop& loop);

  void Complete(Operation operation, bool ok) override;

 private:
  ServingLoop& loop_;
  grpc::ServerContext context_;
  grpc::health::v1::HealthCheckRequest request_;
  grpc::ServerAsyncResponseWriter<grpc::health::v1::HealthCheckResponse> writer_{&context_};
  Tag start_{this, Operation::kStart};
  Tag finish_{this, Operation::kFinish};
};

// A call of grpc.health.v1.Health.Watch: the status now, and again when it changes.
class HealthWatchCall final : public Call {
 public:
  // Waits for a client.
  explicit HealthWatchCall(ServingLoop& loop);

  void Complete(Operation operation, bool ok) override;
  void HealthChanged() override { Advance(); }
  void Drain() override;

 private:
  void Advance();

  ServingLoop& loop_;
  grpc::ServerContext context_;
  grpc::health::v1::HealthCheckRequest request_;
  grpc::ServerAsyncWriter<grpc::health::v1::HealthCheckResponse> writer_{&context_};
  Tag start_{this, Operation::kStart};
  Tag write_{this, Operation::kWrite};
  Tag finish_{this, Operation::kFinish};
  Tag done_{this, Operation::kDone};

  HealthStatus sent_ = grpc::health::v1::HealthCheckResponse::UNKNOWN;  // to the client
  bool writing_ = false;
  bool over_ = false;       // the client has gone, or the server is draining
  bool finishing_ = false;  // Finish was called
  bool finished_ = false;   // and has ended
  bool call_done_ = false;  // gRPC is done with the call
};

}  // namespace tidegate
