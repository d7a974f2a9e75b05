#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "compat/health.grpc.pb.h"
#include "server/metrics/metrics.h"
#include "server/models/repository.h"
#include "server/rpc/admission.h"
#include "server/rpc/authentication.h"
#include "server/rpc/call.h"
#include "server/rpc/model_service.h"
#include "server/rpc/stream_service.h"
#include "server/rpc/subscriptions.h"
#include "server/shard/shard.h"
#include "tidegate/v1/forecaster.grpc.pb.h"

namespace tidegate {

using HealthStatus = grpc::health::v1::HealthCheckResponse::ServingStatus;

// All RPCs of the server (tidegate.v1.Forecaster, grpc.health.v1.Health) on one completion queue, served by
// one thread: it takes in requests until the queue is dry, advances the streams of all of them in batches,
// and sends the answers together. So batches form while the server is busy, and a reading that comes alone
// does not wait for company. Health is served here too, so that it says something about this thread; gRPC's
// own health service would add polling threads that double the CPU time of a lone request.
class ServingLoop {
 public:
  struct Options {
    std::size_t max_streams = 1'000'000;
    absl::Duration max_future = absl::Minutes(5);
    Authentication* authentication = nullptr;  // null: everyone may call everything; must outlive the loop
  };

  // Adds itself to `builder`; all arguments must outlive it.
  ServingLoop(const Options& options, const Repository& repository, ShardMetrics& metrics,
              grpc::ServerBuilder& builder);

  // Begins to serve, once the builder's server has started.
  void Start();

  // Health is NOT_SERVING from now on. Safe from any thread; once.
  void AnnounceShutdown();

  // Ends all calls of Stream with UNAVAILABLE as soon as what they have sent is answered. Safe from any
  // thread; once.
  void Drain();

  // Waits for the last calls and ends the thread. Call after grpc::Server::Shutdown; safe from any thread;
  // once.
  void Stop();

  // What follows is for the calls, in this loop's thread.

  // Requests arrive as bytes, so that bad ones can be told apart from the end of a call.
  using QuestionService = v1::Forecaster::WithAsyncMethod_Forecast<v1::Forecaster::WithAsyncMethod_GetCursor<
      v1::Forecaster::WithAsyncMethod_GetStream<v1::Forecaster::WithAsyncMethod_ListStreams<
          v1::Forecaster::WithAsyncMethod_ResetStream<v1::Forecaster::WithAsyncMethod_DeleteStream<
              v1::Forecaster::WithAsyncMethod_ForkStream<v1::Forecaster::WithAsyncMethod_ExportStream<
                  v1::Forecaster::WithAsyncMethod_ImportStream<v1::Forecaster::WithAsyncMethod_ListModels<
                      v1::Forecaster::WithAsyncMethod_GetModel<v1::Forecaster::Service>>>>>>>>>>>;
  using ForecasterService = v1::Forecaster::WithAsyncMethod_Subscribe<
      v1::Forecaster::WithRawMethod_Push<v1::Forecaster::WithRawMethod_Stream<QuestionService>>>;
  ForecasterService& forecaster() { return forecaster_; }
  using HealthService = grpc::health::v1::Health::WithAsyncMethod_Check<
      grpc::health::v1::Health::WithAsyncMethod_Watch<grpc::health::v1::Health::Service>>;
  HealthService& health() { return health_; }
  grpc::ServerCompletionQueue& queue() { return *queue_; }
  Admission& admission() { return admission_; }
  StreamService& streams() { return streams_; }
  ModelService& models() { return models_; }
  Subscriptions& subscriptions() { return subscriptions_; }
  // May the call of `context`, which begins now, go on? Health asks nobody.
  absl::Status Authenticate(Method method, const grpc::ServerContext& context) {
    if (authentication_ == nullptr) return absl::OkStatus();
    return authentication_->Check(method, context.client_metadata(), absl::Now());
  }
  bool draining() const { return draining_; }
  HealthStatus Health(const std::string& service) const;
  void Opened(Call* call) {
    calls_.insert(call);
    metrics_.open_calls.Set(static_cast<std::int64_t>(calls_.size()));
  }
  void Closed(Call* call) {
    calls_.erase(call);
    metrics_.open_calls.Set(static_cast<std::int64_t>(calls_.size()));
  }
  // Counts a request that ends with `code` and no answer, and one that is answered now.
  void CountRequest(Method method, absl::StatusCode code) {
    metrics_.request(method, static_cast<int>(code)).Add(1);
  }
  // Returns now.
  Work::Clock::time_point CountAnswer(Method method, Work::Clock::time_point received);
  // An answer that was counted at `counted` is with gRPC.
  void CountSend(Work::Clock::time_point counted);
  void CountLack(Lack lack) { metrics_.lack(lack).Add(1); }

 private:
  enum class Gathered { kDry, kMore, kEnded };

  void Run();
  void ServeQuestions();  // those of StreamService and ModelService
  void Handle(void* tag, bool ok);
  Gathered Gather();
  void AnswerSome();
  void Wake(grpc::Alarm& alarm);

  ShardMetrics& metrics_;
  ForecasterService forecaster_;
  HealthService health_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  Shard shard_;
  Admission admission_;
  Authentication* const authentication_;
  StreamService streams_;
  ModelService models_;
  Subscriptions subscriptions_;
  absl::flat_hash_set<Call*> calls_;  // open
  std::vector<Call*> answered_;
  std::uint64_t sent_ = 0;           // answers
  std::atomic<bool> serving_{true};  // for Health
  bool draining_ = false;
  bool stopping_ = false;
  grpc::Alarm announce_;  // these wake the thread from others
  grpc::Alarm drain_;
  grpc::Alarm stop_;
  std::thread thread_;
};

grpc::ByteBuffer Serialize(const v1::PushResponse& response);

}  // namespace tidegate
