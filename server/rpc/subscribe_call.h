#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>

#include <memory>
#include <optional>

#include "absl/status/status.h"
#include "server/rpc/call.h"
#include "server/rpc/serving_loop.h"
#include "server/rpc/subscriptions.h"

namespace tidegate {

// A call of Forecaster.Subscribe: sends initial metadata when it is subscribed, then one message after
// another, each once gRPC has taken the one before. Meanwhile events gather in its subscription.
class SubscribeCall final : public Call {
 public:
  // Waits for a client.
  explicit SubscribeCall(ServingLoop& loop);

  void Complete(Operation operation, bool ok) override;
  void Answer() override { Advance(); }
  void Tick(absl::Time now) override;
  void Drain() override;  // what waits is still sent

 private:
  void Begin();
  void BeginAt(std::size_t shard);
  void End(const absl::Status& status);
  void Advance();

  ServingLoop& loop_;
  grpc::ServerContext context_;
  v1::SubscribeRequest request_;
  grpc::ServerAsyncWriter<v1::Events> writer_{&context_};
  Tag start_{this, Operation::kStart};
  Tag write_{this, Operation::kWrite};
  Tag finish_{this, Operation::kFinish};
  Tag done_{this, Operation::kDone};

  Work::Clock::time_point received_;
  OpenCall client_;
  std::shared_ptr<Subscription> subscription_;  // null: it was refused
  bool beginning_ = false;                      // not at every shard yet
  std::optional<absl::Status> end_;             // no more events; what the call ends with
  bool gone_ = false;                           // the client has gone: what waits is dropped
  bool writing_ = false;                        // a write, or the initial metadata, is under way
  Stall stall_;                                 // of it
  bool finishing_ = false;                      // Finish was called
  bool finished_ = false;                       // and has ended
  bool call_done_ = false;                      // gRPC is done with the call
};

}  // namespace tidegate
