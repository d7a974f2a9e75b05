#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_unary_call.h>
#include <grpcpp/support/byte_buffer.h>

#include <memory>

#include "absl/status/status.h"
#include "server/rpc/call.h"
#include "server/rpc/clients.h"
#include "server/rpc/serving_loop.h"

namespace tidegate {

// A call of Forecaster.Push. What was admitted is applied even if the client has gone. Is cancelled if its
// answer is not taken.
class PushCall final : public Call {
 public:
  // Waits for a client.
  explicit PushCall(ServingLoop& loop);

  void Complete(Operation operation, bool ok) override;
  void Answer() override;
  void Tick(absl::Time now) override;

 private:
  void Start();
  void Refuse(const absl::Status& status);

  ServingLoop& loop_;
  grpc::ServerContext context_;
  grpc::ByteBuffer message_;
  grpc::ServerAsyncResponseWriter<grpc::ByteBuffer> writer_{&context_};
  Tag start_{this, Operation::kStart};
  Tag finish_{this, Operation::kFinish};
  std::shared_ptr<Client> client_;
  Exchange* exchange_ = nullptr;
  std::size_t readings_ = 0, bytes_ = 0;  // of what was taken in, and of its answer
  bool finishing_ = false;                // the answer is on its way
  Stall stall_;                           // of it
};

}  // namespace tidegate
