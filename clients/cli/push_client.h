#pragma once

#include <functional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/time/time.h"
#include "clients/cli/connection.h"
#include "clients/cli/feed.h"
#include "tidegate/v1/forecaster.pb.h"

namespace tidegate {

struct PushOptions {
  ConnectionOptions connection;
  std::string model;          // empty: the server's default
  std::string stream_prefix;  // put before every stream's id
  bool unary = false;         // one Push call per tick instead of one Stream call for all
};

// One message and its answer: readings of one tick, the answer's columns checked to be as long as they must
// be.
struct Answer {
  std::span<const FeedReading> readings;
  const v1::PushResponse& response;
  absl::Duration latency;  // from handing the message to gRPC to having its answer
};

// Pushes `feed` to a server, one message per tick, each answered before the next is sent. `on_answer` is
// called for every answer, in order; a status that is not OK ends the feed and is returned. Unavailable: the
// server is not reached in time (see Connection::Open), or goes away. Internal: an answer that breaks the
// protocol. Else the status with which the server ended the call.
absl::Status Push(const Readings& readings, const Feed& feed, const PushOptions& options,
                  const std::function<absl::Status(const Answer&)>& on_answer);

}  // namespace tidegate
