#include "clients/cli/push_client.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "clients/cli/server_error.h"
#include "tidegate/v1/forecaster.grpc.pb.h"

namespace tidegate {
namespace {

// Of a message: few enough for forecasts of thousands of values, enough that a message costs little.
constexpr std::size_t kMostReadings = 256;

std::string IdOf(const StreamReadings& stream, const PushOptions& options) {
  return absl::StrCat(options.stream_prefix, stream.stream);
}

std::span<const float> ValuesOf(const Readings& readings, const FeedReading& reading) {
  const std::size_t features = readings.features.size();
  return {&readings.streams[reading.stream].values[reading.row * features], features};
}

// Calls `send` with the readings of every message, until it fails.
absl::Status ForEachMessage(const Feed& feed,
                            const std::function<absl::Status(std::span<const FeedReading>)>& send) {
  for (std::size_t i = 0; i < feed.size(); ++i) {
    std::span<const FeedReading> left = feed.tick(i);
    while (!left.empty()) {
      const auto message = left.first(std::min(left.size(), kMostReadings));
      if (auto s = send(message); !s.ok()) return s;
      left = left.subspan(message.size());
    }
  }
  return absl::OkStatus();
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

// A call of Push for every tick.
absl::Status PushUnary(const Connection& connection, const Readings& readings, const Feed& feed,
                       const PushOptions& options,
                       const std::function<absl::Status(const Answer&)>& on_answer) {
  const auto stub = v1::Forecaster::NewStub(connection.channel());
  return ForEachMessage(feed, [&](std::span<const FeedReading> message) {
    v1::PushRequest request;
    request.set_model(options.model);
    for (const FeedReading& reading : message) {
      const StreamReadings& stream = readings.streams[reading.stream];
      request.add_stream_id(IdOf(stream, options));
      request.add_timestamp(stream.timestamp_ns[reading.row]);
      const std::span<const float> values = ValuesOf(readings, reading);
      request.mutable_value()->Add(values.begin(), values.end());
    }
    v1::PushResponse response;
    grpc::ClientContext context;
    connection.Authorize(context);
    const auto begin = std::chrono::steady_clock::now();
    const grpc::Status ended = stub->Push(&context, request, &response);
    if (!ended.ok()) return FromServer(ended, options.connection.server);
    const auto end = std::chrono::steady_clock::now();
    if (auto s = CheckAnswer(response, message.size()); !s.ok()) return s;
    return on_answer({message, response, absl::FromChrono(end - begin)});
  });
}

ResumingStream::Options StreamOptions(const Connection& connection, const PushOptions& options) {
  ResumingStream::Options stream;
  stream.wanted.set_model(options.model);
  stream.most_unanswered = 0;  // Send returns with the answer
  stream.retry_for = options.retry_for;
  stream.authorize = [&connection](grpc::ClientContext& context) { connection.Authorize(context); };
  stream.describe = [&options](const grpc::Status& status) {
    return FromServer(status, options.connection.server);
  };
  stream.on_interruption = options.on_interruption;
  return stream;
}

// A feed over one call that outlives its server.
class StreamedFeed {
 public:
  StreamedFeed(const Connection& connection, const Readings& readings, const PushOptions& options,
               const std::function<absl::Status(const Answer&)>& on_answer)
      : readings_(readings),
        options_(options),
        on_answer_(on_answer),
        stream_([&connection] { return connection.NewChannel(); }, StreamOptions(connection, options),
                [this](const ResumingStream::Answer& answer) { return Take(answer); }) {}

  absl::StatusOr<std::size_t> Push(const Feed& feed) {
    if (auto s = Begin(); !s.ok()) return s;
    std::size_t left_out = 0;
    absl::Status sent = ForEachMessage(feed, [&](std::span<const FeedReading> readings) {
      sent_.clear();
      message_.clear();
      for (const FeedReading& reading : readings) {
        const std::int64_t time = readings_.streams[reading.stream].timestamp_ns[reading.row];
        if (time < taken_ns_[reading.stream]) continue;
        sent_.push_back(reading);
        message_.push_back({.stream = static_cast<std::uint32_t>(reading.stream),
                            .timestamp_ns = time,
                            .values = ValuesOf(readings_, reading),
                            .numbered = numbered_ && time > taken_ns_[reading.stream]});
      }
      left_out += readings.size() - sent_.size();
      return message_.empty() ? absl::OkStatus() : stream_.Send(message_);
    });
    if (!sent.ok()) return sent;
    if (auto s = stream_.Finish(); !s.ok()) return s;
    return left_out;
  }

 private:
  // Learns how far the server has come.
  absl::Status Begin() {
    std::vector<std::string> ids;
    for (const StreamReadings& stream : readings_.streams) ids.push_back(IdOf(stream, options_));
    auto cursors = stream_.AskCursors(ids);
    numbered_ = cursors.ok();
    if (absl::IsPermissionDenied(cursors.status())) cursors.emplace(ids.size());  // as if they were new
    if (!cursors.ok()) return cursors.status();
    for (std::size_t s = 0; s < ids.size(); ++s) {
      stream_.AddStream(ids[s], (*cursors)[s].sequence);
      taken_ns_.push_back((*cursors)[s].timestamp_ns);
    }
    return absl::OkStatus();
  }

  absl::Status Take(const ResumingStream::Answer& answer) {
    if (auto s = CheckAnswer(answer.response, sent_.size()); !s.ok()) return s;
    const auto& numbers = answer.request.sequence();
    return on_answer_(
        {sent_, answer.response, answer.latency, {numbers.data(), static_cast<std::size_t>(numbers.size())}});
  }

  const Readings& readings_;
  const PushOptions& options_;
  const std::function<absl::Status(const Answer&)>& on_answer_;
  ResumingStream stream_;
  bool numbered_ = true;
  std::vector<std::int64_t> taken_ns_;  // by stream: of its last reading on the server, -1: none
  std::vector<FeedReading> sent_;       // what was sent last
  std::vector<ResumingStream::Reading> message_;
};

}  // namespace

absl::StatusOr<std::optional<v1::ModelInfo>> AskModel(const PushOptions& options) {
  const auto connection = Connection::Open(options.connection);
  if (!connection.ok()) return connection.status();
  ResumingStream stream([&] { return connection->NewChannel(); }, StreamOptions(*connection, options), {});
  auto model = stream.AskModel();
  if (absl::IsPermissionDenied(model.status())) return std::nullopt;
  if (!model.ok()) return model.status();
  return *std::move(model);
}

absl::StatusOr<std::size_t> Push(const Readings& readings, const Feed& feed, const PushOptions& options,
                                 const std::function<absl::Status(const Answer&)>& on_answer) {
  const auto connection = Connection::Open(options.connection);
  if (!connection.ok()) return connection.status();
  if (!options.unary) return StreamedFeed(*connection, readings, options, on_answer).Push(feed);
  if (auto s = PushUnary(*connection, readings, feed, options, on_answer); !s.ok()) return s;
  return 0;
}

}  // namespace tidegate
