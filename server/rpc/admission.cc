#include "server/rpc/admission.h"

#include <grpcpp/support/proto_buffer_reader.h>

#include <chrono>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "server/fault/fault.h"
#include "server/rpc/limits.h"
#include "server/rpc/request_check.h"
#include "server/rpc/unknown_fields.h"

namespace tidegate {

Admission::Admission(const Repository& repository, ShardPeer& shard, ShardMetrics& metrics,
                     absl::Duration max_future, std::size_t waiting_readings)
    : repository_(repository),
      shard_(shard),
      metrics_(metrics),
      max_future_(max_future),
      most_waiting_(waiting_readings / shard.shards()),
      exchanges_(shard.shards()) {}

absl::StatusOr<Exchange*> Admission::Admit(grpc::ByteBuffer& bytes, NamedStreams* streams, Call* call) {
  const std::size_t request_bytes = bytes.Length();
  std::unique_ptr<Exchange> exchange = exchanges_.Take(request_bytes);
  exchange->call = call;
  exchange->answered = false;
  exchange->received = Work::Clock::now();
  if (streams == nullptr) {
    exchange->message_streams.Clear();
    streams = &exchange->message_streams;
  }

  const auto model = Parse(bytes, streams->size(), *exchange);
  if (!model.ok()) {
    Release(exchange.release());
    return model.status();
  }
  exchange->model = static_cast<std::uint32_t>(*model);
  if (latest_ns_ == 0) latest_ns_ = absl::ToUnixNanos(absl::Now() + max_future_);
  exchange->latest_ns = latest_ns_;
  PrepareExchange(repository_.models()[*model].model->spec(), *exchange);
  exchange->bytes = request_bytes + exchange->forecast.size_bytes();
  waiting_readings_ += exchange->size();
  metrics_.waiting_readings.Set(static_cast<std::int64_t>(waiting_readings_));
  shard_.Admit(*exchange, *streams);
  if (received_++ % kSampled == 0) {
    const std::chrono::duration<double> seconds = Work::Clock::now() - exchange->received;
    metrics_.stage(Stage::kReceive).Observe(seconds.count(), kSampled);
  }
  return exchange.release();
}

absl::StatusOr<std::size_t> Admission::Parse(grpc::ByteBuffer& bytes, std::size_t streams_named,
                                             Exchange& exchange) {
  grpc::ProtoBufferReader reader(&bytes);
  if (!reader.status().ok() || !exchange.request.ParseFromZeroCopyStream(&reader)) {
    return Refusal(
        Fault::kMalformedRequest, "",
        absl::StrCat(
            bytes.Length(),
            " bytes that are no tidegate.v1.PushRequest, or whose model or stream ids are not UTF-8"));
  }
  if (auto s = CheckUnknownFields(OwnUnknownFields(exchange.request)); !s.ok()) return s;
  const auto model = repository_.Find(exchange.request.model());
  if (!model.ok()) return model.status();
  const absl::Status checked =
      CheckRequest(exchange.request, repository_.models()[*model].model->spec(), streams_named);
  if (!checked.ok()) return checked;
  return *model;
}

const std::vector<Exchange*>& Admission::Run() {
  done_.clear();
  answered_.clear();
  shard_.Run(done_);
  for (Message* message : done_) {
    auto* exchange = static_cast<Exchange*>(message);  // the shards have only what Admit gave them
    waiting_readings_ -= exchange->size();
    exchange->answered = true;
    CompleteResponse(*exchange);
    answered_.push_back(exchange);
  }
  metrics_.waiting_readings.Set(static_cast<std::int64_t>(waiting_readings_));
  return answered_;
}

void Admission::Release(Exchange* exchange) { exchanges_.Return(std::unique_ptr<Exchange>(exchange)); }

bool Admission::full() const { return waiting_readings_ >= most_waiting_; }

}  // namespace tidegate
