#pragma once

#include <grpcpp/server_context.h>
#include <grpcpp/support/async_stream.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <cstdint>
#include <optional>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "server/rpc/bounded_queue.h"
#include "server/rpc/call.h"
#include "server/rpc/clients.h"
#include "server/rpc/limits.h"
#include "server/rpc/serving_loop.h"
#include "server/shard/named_streams.h"

namespace tidegate {

// A call of Forecaster.Stream: reads on while answers wait, up to the limits of limits.h, and answers in
// order. Ends if nothing is sent on it for long, is cancelled if its answers are not taken. What was admitted
// is applied even if the client has gone.
class StreamCall final : public Call {
 public:
  // Waits for a client.
  explicit StreamCall(ServingLoop& loop);

  void Complete(Operation operation, bool ok) override;
  void Answer() override { Advance(); }
  void Tick(absl::Time now) override;
  void Drain() override;
  bool TakeHeld() override;

 private:
  absl::Status Begin();
  void TakeRequest();
  void Advance();
  void DropAnswers();
  void WriteAnswer();
  void Finish();
  bool MayRead();
  bool MayTake() const { return !loop_.unsent_full(client_.unsent()) && !loop_.admission().full(); }
  bool answer_due() const { return !exchanges_.empty() && exchanges_.front()->answered; }
  void PopExchange();

  ServingLoop& loop_;
  grpc::ServerContext context_;
  grpc::ServerAsyncReaderWriter<grpc::ByteBuffer, grpc::ByteBuffer> stream_{&context_};
  grpc::ByteBuffer message_;
  Tag start_{this, Operation::kStart};
  Tag read_{this, Operation::kRead};
  Tag write_{this, Operation::kWrite};
  Tag finish_{this, Operation::kFinish};
  Tag done_{this, Operation::kDone};

  OpenCall client_;
  NamedStreams streams_;
  // Requests whose answers have not been sent, in order.
  BoundedQueue<Exchange*, limits::kCallRequests> exchanges_;
  std::size_t readings_ = 0;    // in exchanges_
  std::size_t held_bytes_ = 0;  // of exchanges_

  std::uint64_t progress_ = 0;                 // messages read and written
  std::uint64_t seen_ = 0;                     // of these, at the last tick that saw some
  absl::Time since_ = absl::InfiniteFuture();  // that tick

  Stall stall_;                    // of the write under way
  std::size_t writing_bytes_ = 0;  // of the exchange that it answers
  std::size_t writing_readings_ = 0;

  bool reading_ = false;             // a read is under way
  bool held_ = false;                // message_ has come, and is not looked at yet
  bool paused_ = false;              // none is, as too much waits
  bool writing_ = false;             // a write is under way
  bool answered_ = false;            // the first answer has been sent
  bool gone_ = false;                // the client has gone: answers are dropped
  std::optional<absl::Status> end_;  // no more is read; what the call ends with when all is answered
  bool finishing_ = false;           // Finish was called
  bool finished_ = false;            // and has ended
  bool call_done_ = false;           // gRPC is done with the call
};

}  // namespace tidegate
