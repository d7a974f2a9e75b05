#include "server/rpc/serving_loop.h"

#include <grpc/support/time.h>
#include <grpcpp/support/proto_buffer_writer.h>

#include <algorithm>
#include <chrono>
#include <memory>

#include "server/rpc/health_call.h"
#include "server/rpc/push_call.h"
#include "server/rpc/stream_call.h"
#include "server/rpc/subscribe_call.h"
#include "server/rpc/unary_call.h"

namespace tidegate {
namespace {

// Completions handled before the network runs again, however many more there are.
constexpr int kGatherLimit = 1024;

std::vector<std::shared_ptr<const Model>> Models(const Repository& repository) {
  std::vector<std::shared_ptr<const Model>> models;
  for (const ServedModel& served : repository.models()) models.push_back(served.model);
  return models;
}

}  // namespace

grpc::ByteBuffer Serialize(const v1::PushResponse& response) {
  const auto size = static_cast<int>(response.ByteSizeLong());
  grpc::ByteBuffer bytes;
  grpc::ProtoBufferWriter writer(&bytes, grpc::kProtoBufferWriterMaxBufferLength, size);
  response.SerializePartialToZeroCopyStream(&writer);
  return bytes;
}

ServingLoop::ServingLoop(const Options& options, const Repository& repository, ShardMetrics& metrics,
                         grpc::ServerBuilder& builder)
    : metrics_(metrics),
      shard_(Models(repository), options.max_streams, metrics),
      admission_(repository, shard_, options.max_future),
      authentication_(options.authentication),
      streams_(repository, shard_),
      models_(repository, shard_),
      subscriptions_(repository, shard_, metrics.subscriptions) {
  builder.RegisterService(&forecaster_);
  builder.RegisterService(&health_);
  queue_ = builder.AddCompletionQueue();
}

void ServingLoop::Start() {
  thread_ = std::thread([this] {
    metrics_.busy.Begin();
    Run();
    metrics_.busy.End();
  });
}

void ServingLoop::AnnounceShutdown() {
  serving_ = false;
  Wake(announce_);
}

void ServingLoop::Drain() { Wake(drain_); }

void ServingLoop::Stop() {
  Wake(stop_);
  thread_.join();
}

void ServingLoop::Wake(grpc::Alarm& alarm) { alarm.Set(queue_.get(), gpr_now(GPR_CLOCK_MONOTONIC), &alarm); }

HealthStatus ServingLoop::Health(const std::string& service) const {
  using grpc::health::v1::HealthCheckResponse;
  if (!service.empty() && service != v1::Forecaster::service_full_name())
    return HealthCheckResponse::SERVICE_UNKNOWN;
  return serving_ ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

void ServingLoop::ServeQuestions() {
  using v1::ForecastRequest, v1::ForecastResponse, v1::GetCursorRequest, v1::GetCursorResponse;
  using v1::GetStreamRequest, v1::StreamInfo, v1::ListStreamsRequest, v1::ListStreamsResponse;
  using v1::ResetStreamRequest, v1::ResetStreamResponse;
  using Service = ForecasterService;
  new UnaryCall<ForecastRequest, ForecastResponse>(
      *this, {Method::kForecast, &Service::RequestForecast, &StreamService::Forecast});
  new UnaryCall<GetCursorRequest, GetCursorResponse>(
      *this, {Method::kGetCursor, &Service::RequestGetCursor, &StreamService::GetCursor});
  new UnaryCall<GetStreamRequest, StreamInfo>(
      *this, {Method::kGetStream, &Service::RequestGetStream, &StreamService::GetStream});
  new UnaryCall<ListStreamsRequest, ListStreamsResponse>(
      *this, {Method::kListStreams, &Service::RequestListStreams, &StreamService::ListStreams});
  new UnaryCall<ResetStreamRequest, ResetStreamResponse>(
      *this, {Method::kResetStream, &Service::RequestResetStream, &StreamService::ResetStream});
  new UnaryCall<v1::DeleteStreamRequest, v1::DeleteStreamResponse>(
      *this, {Method::kDeleteStream, &Service::RequestDeleteStream, &StreamService::DeleteStream});
  new UnaryCall<v1::ForkStreamRequest, StreamInfo>(
      *this, {Method::kForkStream, &Service::RequestForkStream, &StreamService::ForkStream});
  new UnaryCall<v1::ExportStreamRequest, v1::StreamState>(
      *this, {Method::kExportStream, &Service::RequestExportStream, &StreamService::ExportStream});
  new UnaryCall<v1::ImportStreamRequest, StreamInfo>(
      *this, {Method::kImportStream, &Service::RequestImportStream, &StreamService::ImportStream});
  new UnaryCall<v1::ListModelsRequest, v1::ListModelsResponse, ModelService>(
      *this, {Method::kListModels, &Service::RequestListModels, &ModelService::ListModels});
  new UnaryCall<v1::GetModelRequest, v1::ModelInfo, ModelService>(
      *this, {Method::kGetModel, &Service::RequestGetModel, &ModelService::GetModel});
}

void ServingLoop::Run() {
  new PushCall(*this);
  new StreamCall(*this);
  new SubscribeCall(*this);
  ServeQuestions();
  new HealthCheckCall(*this);
  new HealthWatchCall(*this);
  void* tag = nullptr;
  bool ok = false;
  while (true) {
    // Sleeps only when nothing waits.
    if (admission_.idle()) {
      if (!queue_->Next(&tag, &ok)) return;
      Handle(tag, ok);
    }
    const Gathered gathered = Gather();
    if (gathered == Gathered::kEnded) return;
    AnswerSome();
    // Dry and without calls, after the server's shutdown: nothing can begin on the queue any more.
    if (stopping_ && gathered == Gathered::kDry && calls_.empty()) {
      stopping_ = false;
      queue_->Shutdown();
    }
  }
}

// Handles what has come, until the queue is dry.
ServingLoop::Gathered ServingLoop::Gather() {
  void* tag = nullptr;
  bool ok = false;
  const gpr_timespec past = gpr_inf_past(GPR_CLOCK_MONOTONIC);
  for (int i = 0; i < kGatherLimit; ++i) {
    switch (queue_->AsyncNext(&tag, &ok, past)) {
      case grpc::CompletionQueue::GOT_EVENT:
        Handle(tag, ok);
        break;
      case grpc::CompletionQueue::TIMEOUT:
        return Gathered::kDry;
      case grpc::CompletionQueue::SHUTDOWN:
        return Gathered::kEnded;
    }
  }
  return Gathered::kMore;
}

void ServingLoop::Handle(void* tag, bool ok) {
  if (tag == &announce_ || tag == &drain_) {
    draining_ |= tag == &drain_;
    const std::vector<Call*> open(calls_.begin(), calls_.end());  // a copy: what follows may close calls
    for (Call* call : open) draining_ ? call->Drain() : call->HealthChanged();
  } else if (tag == &stop_) {
    stopping_ = true;
  } else {
    const Tag& completed = *static_cast<Tag*>(tag);
    completed.call->Complete(completed.operation, ok);
  }
}

// Steps some batches and sends the answers that are complete, each call's together, then what subscribers
// get.
void ServingLoop::AnswerSome() {
  if (admission_.idle()) return;
  answered_.clear();
  for (const Exchange* exchange : admission_.Run()) {
    if (answered_.empty() || answered_.back() != exchange->call) answered_.push_back(exchange->call);
  }
  std::sort(answered_.begin(), answered_.end());
  answered_.erase(std::unique(answered_.begin(), answered_.end()), answered_.end());
  for (Call* call : answered_) call->Answer();
  for (Call* call : subscriptions_.TakeReady()) call->Answer();
}

Work::Clock::time_point ServingLoop::CountAnswer(Method method, Work::Clock::time_point received) {
  const auto now = Work::Clock::now();
  metrics_.request_duration(method).Observe(std::chrono::duration<double>(now - received).count());
  CountRequest(method, absl::StatusCode::kOk);
  return now;
}

void ServingLoop::CountSend(Work::Clock::time_point counted) {
  if (sent_++ % kSampled != 0) return;
  const std::chrono::duration<double> seconds = Work::Clock::now() - counted;
  metrics_.stage(Stage::kSend).Observe(seconds.count(), kSampled);
}

}  // namespace tidegate
