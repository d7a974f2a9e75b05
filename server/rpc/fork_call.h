#pragma once

#include "server/rpc/stream_service.h"
#include "server/rpc/unary_call.h"

namespace tidegate {

// A call of Forecaster.ForkStream: copies the stream where it is, and makes the new one where that belongs.
class ForkCall final : public UnaryCall<v1::ForkStreamRequest, v1::StreamInfo> {
 public:
  // Waits for a client.
  explicit ForkCall(ServingLoop& loop)
      : UnaryCall(loop, Method::kForkStream, &ForecasterService::RequestForkStream) {}

 private:
  void WaitForNext() override { new ForkCall(loop_); }

  void Serve() override {
    loop_.At(
        ShardOf(request_.stream_id(), loop_.shards()),
        [this](ServingLoop& there) { status_ = there.streams().Copy(request_.stream_id(), copy_); },
        [this] { status_.ok() ? Paste() : Finish(status_); });
  }

  void Paste() {
    loop_.At(
        ShardOf(request_.new_stream_id(), loop_.shards()),
        [this](ServingLoop& there) {
          status_ = there.streams().Paste("new_stream_id", request_.new_stream_id(), copy_, response_);
        },
        [this] { Finish(status_); });
  }

  StreamCopy copy_;
  absl::Status status_;
};

}  // namespace tidegate
