#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "clients/cli/connection.h"
#include "clients/cli/feed.h"
#include "clients/client/resuming_stream.h"
#include "tidegate/v1/forecaster.pb.h"

namespace tidegate {

struct PushOptions {
  ConnectionOptions connection;
  std::string model;          // empty: the server's default
  std::string stream_prefix;  // put before every stream's id
  bool unary = false;         // one Push call per tick instead of one Stream call for all, and no second try
  absl::Duration retry_for = absl::Minutes(5);  // how long a server may be gone
  std::function<absl::Status(const ResumingStream::Interruption&)> on_interruption = {};
};

// One message and its answer: readings of one tick, the answer's columns checked to be as long as they must
// be.
struct Answer {
  std::span<const FeedReading> readings;
  const v1::PushResponse& response;
  absl::Duration latency;                        // from handing the message to gRPC to having its answer
  std::span<const std::uint64_t> sequence = {};  // numbers of the readings, 0: none; empty: none has one
};

// What the server says of the model; nothing: it does not tell a token such as this one. Errors as of Push.
absl::StatusOr<std::optional<v1::ModelInfo>> AskModel(const PushOptions& options);

// Pushes `feed` to a server, one message per tick (a tick of very many readings is several), each answered
// before the next is sent; returns how many readings were not sent as the server has later ones of their
// streams. A stream's last reading on the server is sent again, later ones are numbered after it: so a feed
// whose pushing broke off can be pushed again from its beginning. on_answer: called for every answer, in
// order; a status that is not OK ends the feed and is returned. When the server goes away, the message that
// it has not answered is sent to the next one to come up; see ResumingStream, also for errors. (By `unary`,
// and by a token that may not ask for cursors, all is sent, and without numbers.) Further errors:
// Unavailable: the server is not reached in time at first, see Connection::Open. Internal: an answer that
// breaks the protocol.
absl::StatusOr<std::size_t> Push(const Readings& readings, const Feed& feed, const PushOptions& options,
                                 const std::function<absl::Status(const Answer&)>& on_answer);

}  // namespace tidegate
