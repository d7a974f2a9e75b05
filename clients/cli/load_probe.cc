#include "clients/cli/load_probe.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "clients/cli/server_error.h"
#include "tidegate/v1/forecaster.grpc.pb.h"

namespace tidegate {
namespace {

constexpr std::size_t kCursors = 4096;  // that one call answers

// The time of the last reading that any of the streams has; -1: none has one.
absl::StatusOr<std::int64_t> LastReading(const Connection& connection, v1::Forecaster::Stub& stub,
                                         const LoadOptions& options) {
  std::int64_t last = -1;
  for (std::size_t begin = 0; begin < options.streams; begin += kCursors) {
    v1::GetCursorRequest request;
    for (std::size_t s = begin; s < std::min(options.streams, begin + kCursors); ++s) {
      request.add_stream_id(absl::StrCat(options.stream_prefix, s));
    }
    grpc::ClientContext context;
    connection.Authorize(context);
    v1::GetCursorResponse response;
    const grpc::Status status = stub.GetCursor(&context, request, &response);
    if (!status.ok()) return FromServer(status, options.connection.server);
    for (const std::int64_t timestamp : response.timestamp()) last = std::max(last, timestamp);
  }
  return last;
}

}  // namespace

absl::StatusOr<LoadProbe> ProbeServer(const Connection& connection, const LoadOptions& options) {
  v1::Forecaster::Stub stub(connection.channel());
  v1::PushRequest request;
  request.set_model(options.model);
  request.set_acknowledge_only(options.acknowledge_only);
  if (!options.acknowledge_only) {
    request.set_horizon(options.horizon);
    request.mutable_quantile()->Assign(options.quantiles.begin(), options.quantiles.end());
  }
  grpc::ClientContext context;
  connection.Authorize(context);
  v1::PushResponse response;
  const grpc::Status status = stub.Push(&context, request, &response);
  if (!status.ok()) return FromServer(status, options.connection.server);
  if (response.interval() <= 0) {
    return absl::InternalError(absl::StrCat("the server ", options.connection.server,
                                            " names no interval of its model: client and server do not fit "
                                            "each other"));
  }
  const auto last = LastReading(connection, stub, options);
  if (!last.ok()) return last.status();

  LoadProbe probe;
  probe.horizon = response.horizon();
  probe.quantiles = static_cast<std::size_t>(response.quantile_size());
  const std::int64_t interval = response.interval();
  probe.grid.interval_ns = interval;
  probe.grid.start_ns = (*last / interval + 1) * interval;
  // A message may hold several readings of a stream: the last of them is not to be in the future.
  const std::size_t turns = options.batch / std::max<std::size_t>(1, options.streams / options.calls) + 1;
  probe.grid.latest_ns = absl::ToUnixNanos(absl::Now()) - static_cast<std::int64_t>(turns) * interval;
  return probe;
}

}  // namespace tidegate
