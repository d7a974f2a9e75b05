#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/models/repository.h"
#include "server/shard/shard.h"
#include "tidegate/v1/forecaster.pb.h"

namespace tidegate {

// The calls of Forecaster that ask about streams or change them without a reading. Each is done at once, by
// the shard's thread, between two batches. Not thread-safe. Errors: those named in forecaster.proto, and
// InvalidArgument for what no request may hold.
class StreamService {
 public:
  // Both must outlive this.
  StreamService(const Repository& repository, Shard& shard) : repository_(repository), shard_(shard) {}

  absl::Status Forecast(const v1::ForecastRequest& request, v1::ForecastResponse& response);
  absl::Status GetCursor(const v1::GetCursorRequest& request, v1::GetCursorResponse& response);
  absl::Status GetStream(const v1::GetStreamRequest& request, v1::StreamInfo& response);
  absl::Status ListStreams(const v1::ListStreamsRequest& request, v1::ListStreamsResponse& response);
  absl::Status ResetStream(const v1::ResetStreamRequest& request, v1::ResetStreamResponse& response);
  absl::Status DeleteStream(const v1::DeleteStreamRequest& request, v1::DeleteStreamResponse& response);
  absl::Status ForkStream(const v1::ForkStreamRequest& request, v1::StreamInfo& response);
  absl::Status ExportStream(const v1::ExportStreamRequest& request, v1::StreamState& response);
  absl::Status ImportStream(const v1::ImportStreamRequest& request, v1::StreamInfo& response);

 private:
  absl::StatusOr<StreamKey> Find(const std::string& id) const;
  void Describe(StreamKey key, v1::StreamInfo& info) const;
  void DescribeAccuracy(StreamKey key, v1::StreamInfo& info) const;
  // A new stream with a state, described in `info`. field: of the request, that names the id.
  absl::Status Create(absl::string_view field, const std::string& id, std::uint32_t model,
                      const StreamHeader& header, std::span<const float> floats, v1::StreamInfo& info);

  const Repository& repository_;
  Shard& shard_;
};

}  // namespace tidegate
