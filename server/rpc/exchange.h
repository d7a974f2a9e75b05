#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/shard/message.h"
#include "server/shard/named_streams.h"
#include "tidegate/v1/forecaster.pb.h"

namespace tidegate {

class Call;

// One request and its answer: protobuf's messages, and the shards' between them that points into both. Reused
// from request to request, so that its memory is allocated once.
struct Exchange : Message {
  explicit Exchange(std::size_t shards) : message_streams(shards) {}

  Call* call = nullptr;
  bool answered = false;
  std::size_t bytes = 0;  // of the request as it came and of the answer's forecasts
  bool large = false;     // has had a large request or answer, see ExchangePool
  v1::PushRequest request;
  v1::PushResponse response;
  NamedStreams message_streams;  // of a call with one message
  std::vector<std::uint8_t> wanted_levels;
};

}  // namespace tidegate
