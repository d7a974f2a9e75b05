#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/models/repository.h"
#include "server/shard/named_streams.h"
#include "server/shard/shard.h"
#include "tidegate/v1/forecaster.pb.h"

namespace tidegate {

// A stream taken out of its shard.
struct StreamCopy {
  std::uint32_t model = 0;
  StreamHeader header;
  std::vector<float> floats;
};

// The calls of Forecaster that ask about streams of one shard or change them without a reading. Each is done
// at once, by the shard's thread, between two batches. Not thread-safe. Errors: those named in
// forecaster.proto, and InvalidArgument for what no request may hold.
class StreamService {
 public:
  // The shard is number `index` of so many. All must outlive this.
  StreamService(const Repository& repository, Shard& shard, std::size_t index, std::size_t shards)
      : repository_(repository), shard_(shard), index_(index), shards_(shards) {}

  absl::Status Forecast(const v1::ForecastRequest& request, v1::ForecastResponse& response);
  // Of the streams of this shard; the answer to the request as a whole grows from shard to shard.
  absl::Status GetCursor(const v1::GetCursorRequest& request, v1::GetCursorResponse& response);
  absl::Status GetStream(const v1::GetStreamRequest& request, v1::StreamInfo& response);
  // A page of this shard's streams, and where the next one begins, there or at the next shard.
  absl::Status ListStreams(const v1::ListStreamsRequest& request, v1::ListStreamsResponse& response);
  // The shard where the page begins that is asked for; the first, if the request is wrong.
  static std::size_t ShardOfPage(const v1::ListStreamsRequest& request, std::size_t shards);
  absl::Status ResetStream(const v1::ResetStreamRequest& request, v1::ResetStreamResponse& response);
  absl::Status DeleteStream(const v1::DeleteStreamRequest& request, v1::DeleteStreamResponse& response);
  // The halves of ForkStream: a copy of stream `id`, and a new stream with it. field: of the request, that
  // names the id.
  absl::Status Copy(const std::string& id, StreamCopy& copy) const;
  absl::Status Paste(absl::string_view field, const std::string& id, const StreamCopy& copy,
                     v1::StreamInfo& response);
  absl::Status ExportStream(const v1::ExportStreamRequest& request, v1::StreamState& response);
  absl::Status ImportStream(const v1::ImportStreamRequest& request, v1::StreamInfo& response);

 private:
  absl::StatusOr<StreamKey> Find(const std::string& id) const;
  void Describe(StreamKey key, v1::StreamInfo& info) const;
  void Describe(absl::string_view id, const std::string& model, const StreamHeader& header,
                v1::StreamInfo& info) const;
  // Streams of this shard that the store has, by id from `from` on.
  absl::Status ListCold(const v1::ListStreamsRequest& request, const std::string& from, std::size_t page,
                        v1::ListStreamsResponse& response);
  void DescribeAccuracy(StreamKey key, v1::StreamInfo& info) const;
  // A new stream with a state, described in `info`. field: see Paste.
  absl::Status Create(absl::string_view field, const std::string& id, std::uint32_t model,
                      const StreamHeader& header, std::span<const float> floats, v1::StreamInfo& info);

  const Repository& repository_;
  Shard& shard_;
  const std::size_t index_, shards_;
};

}  // namespace tidegate
