#include "clients/cli/push_client.h"

#include <grpcpp/grpcpp.h>

#include <chrono>
#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "clients/cli/server_error.h"
#include "tidegate/v1/forecaster.grpc.pb.h"

namespace tidegate {
namespace {

// The readings of one tick as columns. Ids of streams are sent as `stream_id` of each reading, or, on a
// stream of messages, once in its first message, so that a reading needs its stream's index only.
v1::PushRequest Request(const Readings& readings, std::span<const FeedReading> tick,
                        const PushOptions& options, bool first) {
  v1::PushRequest request;
  request.set_model(options.model);
  if (!options.unary && first) {
    for (const StreamReadings& stream : readings.streams) {
      request.add_stream_id(absl::StrCat(options.stream_prefix, stream.stream));
    }
  }
  const std::size_t features = readings.features.size();
  for (const FeedReading& reading : tick) {
    const StreamReadings& stream = readings.streams[reading.stream];
    if (options.unary) {
      request.add_stream_id(absl::StrCat(options.stream_prefix, stream.stream));
    } else {
      request.add_handle(static_cast<std::uint32_t>(reading.stream));
    }
    request.add_timestamp(stream.timestamp_ns[reading.row]);
    for (std::size_t f = 0; f < features; ++f) request.add_value(stream.values[reading.row * features + f]);
  }
  return request;
}

absl::Status CheckAnswer(const v1::PushResponse& response, std::size_t readings) {
  const auto n = static_cast<int>(readings);
  const auto forecast = static_cast<int>(response.horizon()) * response.quantile_size();
  if (response.outcome_size() == n && response.forecast_size() == n * forecast &&
      response.anomaly_score_size() == n && response.steps_size() == n && response.quality_size() == n &&
      (response.reason_size() == n || response.reason_size() == 0) && forecast > 0) {
    return absl::OkStatus();
  }
  return absl::InternalError(absl::StrCat(
      "the answer to ", n, " readings has ", response.outcome_size(), " outcomes, ", response.forecast_size(),
      " forecast values (horizon ", response.horizon(), ", ", response.quantile_size(), " quantiles), ",
      response.anomaly_score_size(), " anomaly scores: client and server do not fit each other"));
}

// Sends one message and waits for its answer; false: the call has ended.
using Exchange = std::function<bool(const v1::PushRequest&, v1::PushResponse&)>;

absl::Status PushTicks(const Readings& readings, const Feed& feed, const PushOptions& options,
                       const std::function<absl::Status(const Answer&)>& on_answer,
                       const Exchange& exchange) {
  v1::PushResponse response;
  for (std::size_t i = 0; i < feed.size(); ++i) {
    const v1::PushRequest request = Request(readings, feed.tick(i), options, i == 0);
    const auto begin = std::chrono::steady_clock::now();
    if (!exchange(request, response)) return absl::OkStatus();  // the call's own status says why
    const auto end = std::chrono::steady_clock::now();
    absl::Status status = CheckAnswer(response, feed.tick(i).size());
    if (status.ok()) status = on_answer({feed.tick(i), response, absl::FromChrono(end - begin)});
    if (!status.ok()) return status;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status Push(const Readings& readings, const Feed& feed, const PushOptions& options,
                  const std::function<absl::Status(const Answer&)>& on_answer) {
  const auto connection = Connection::Open(options.connection);
  if (!connection.ok()) return connection.status();
  const auto stub = v1::Forecaster::NewStub(connection->channel());
  grpc::Status ended;
  absl::Status status;
  if (options.unary) {
    status = PushTicks(readings, feed, options, on_answer, [&](const auto& request, auto& response) {
      grpc::ClientContext context;
      connection->Authorize(context);
      ended = stub->Push(&context, request, &response);
      return ended.ok();
    });
  } else {
    grpc::ClientContext context;
    connection->Authorize(context);
    const auto stream = stub->Stream(&context);
    status = PushTicks(readings, feed, options, on_answer, [&](const auto& request, auto& response) {
      return stream->Write(request) && stream->Read(&response);
    });
    if (!status.ok()) context.TryCancel();
    stream->WritesDone();
    ended = stream->Finish();
  }
  return status.ok() ? FromServer(ended, options.connection.server) : status;
}

}  // namespace tidegate
