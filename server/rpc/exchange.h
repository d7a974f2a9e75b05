#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "server/shard/stream_handles.h"
#include "server/shard/work.h"
#include "tidegate/v1/forecaster.pb.h"

namespace tidegate {

class Call;

// One request and its answer: the messages, and the work between them that points into both. Reused from
// request to request, so that its memory is allocated once.
struct Exchange : Work {
  Call* call = nullptr;
  bool answered = false;
  v1::PushRequest request;
  v1::PushResponse response;
  StreamHandles message_handles;  // of a call with one message
  std::vector<std::uint8_t> wanted_levels;
};

}  // namespace tidegate
