#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/support/byte_buffer.h"
#include "server/models/repository.h"
#include "server/rpc/exchange.h"
#include "server/shard/shard.h"

namespace tidegate {

// The door between gRPC's bytes and the shard: parses and checks requests, hands them to the shard, and keeps
// the exchanges for reuse. Owned by one thread; not thread-safe.
class Admission {
 public:
  // max_future: how far a reading's time may lie ahead of the clock. All must outlive this.
  Admission(const Repository& repository, Shard& shard, absl::Duration max_future);

  // Takes the request in `bytes` to the shard; its readings' ids and handles count in `handles`, or within
  // the message alone if that is null. InvalidArgument, NotFound, ResourceExhausted: a fault of the whole
  // request.
  absl::StatusOr<Exchange*> Admit(grpc::ByteBuffer& bytes, StreamHandles* handles, Call* call);

  // Runs some of what waits; returns the exchanges that are answered, their responses ready to be sent. The
  // next Run overwrites the result.
  const std::vector<Exchange*>& Run();

  // The exchange of a request that has been answered is no longer needed.
  void Release(Exchange* exchange);

  // Too many readings wait for the network to take more than what must be taken.
  bool full() const;
  bool idle() const { return shard_.idle(); }

 private:
  absl::StatusOr<std::size_t> Parse(grpc::ByteBuffer& bytes, std::size_t handles_named, Exchange& exchange);

  const Repository& repository_;
  Shard& shard_;
  absl::Duration max_future_;
  std::vector<std::unique_ptr<Exchange>> free_;
  std::vector<Work*> done_;
  std::vector<Exchange*> answered_;
  std::size_t waiting_readings_ = 0;
  std::uint64_t received_ = 0;  // messages
};

}  // namespace tidegate
