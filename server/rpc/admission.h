#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "grpcpp/support/byte_buffer.h"
#include "server/models/repository.h"
#include "server/rpc/exchange.h"
#include "server/rpc/exchange_pool.h"
#include "server/rpc/limits.h"
#include "server/shard/shard_peer.h"

namespace tidegate {

// The door between gRPC's bytes and the shards: parses and checks requests, hands them to the shards, and
// keeps the exchanges for reuse. Owned by its shard's thread; not thread-safe.
class Admission {
 public:
  // max_future: how far a reading's time may lie ahead of the clock. waiting_readings: of all shards, at
  // which this one is full with its part. metrics: the shard's. All must outlive this.
  Admission(const Repository& repository, ShardPeer& shard, ShardMetrics& metrics, absl::Duration max_future,
            std::size_t waiting_readings = limits::kWaitingReadings);

  // Takes the request in `bytes` to the shards; its readings' ids and handles count in `streams`, or within
  // the message alone if that is null. InvalidArgument, NotFound, ResourceExhausted: a fault of the whole
  // request.
  absl::StatusOr<Exchange*> Admit(grpc::ByteBuffer& bytes, NamedStreams* streams, Call* call);

  // Runs some of what waits; returns the exchanges that are answered, their responses ready to be sent. The
  // next Run overwrites the result.
  const std::vector<Exchange*>& Run();

  // The exchange of a request that has been answered is no longer needed.
  void Release(Exchange* exchange);

  // Too many readings wait for the network to take more than what must be taken.
  bool full() const;
  // Enough readings of this shard's clients wait to fill some batches.
  bool busy() const { return waiting_readings_ >= kBusyReadings; }
  // What comes next is not taken in together with what came before.
  void TimeHasPassed() { latest_ns_ = 0; }

 private:
  // Their messages still lie in the cache when they are answered.
  static constexpr std::size_t kBusyReadings = 2048;
  absl::StatusOr<std::size_t> Parse(grpc::ByteBuffer& bytes, std::size_t streams_named, Exchange& exchange);

  const Repository& repository_;
  ShardPeer& shard_;
  ShardMetrics& metrics_;
  absl::Duration max_future_;
  std::size_t most_waiting_;    // readings, of this shard
  std::int64_t latest_ns_ = 0;  // of messages that are taken in together; 0: look at the clock
  ExchangePool exchanges_;
  std::vector<Message*> done_;
  std::vector<Exchange*> answered_;
  std::size_t waiting_readings_ = 0;
  std::uint64_t received_ = 0;  // messages
};

}  // namespace tidegate
