#pragma once

#include <grpcpp/alarm.h>
#include <grpcpp/completion_queue.h>
#include <grpcpp/server_builder.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/byte_buffer.h>

#include <atomic>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/status/status.h"
#include "absl/synchronization/blocking_counter.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "server/metrics/metrics.h"
#include "server/models/repository.h"
#include "server/rpc/admission.h"
#include "server/rpc/authentication.h"
#include "server/rpc/call.h"
#include "server/rpc/clients.h"
#include "server/rpc/limits.h"
#include "server/rpc/model_service.h"
#include "server/rpc/services.h"
#include "server/rpc/stream_service.h"
#include "server/rpc/subscriptions.h"
#include "server/shard/shard.h"
#include "server/shard/shard_peer.h"

namespace tidegate {

class AdminThread;
class Backups;
class ModelAdmin;
class ServingLoop;

// What all serving loops of a server share. Thread-safe, once it is complete.
struct ServingGroup {
  explicit ServingGroup(std::size_t max_streams);
  ~ServingGroup();

  ForecasterService forecaster;
  HealthService health;
  StreamBudget streams;
  Clients clients;
  Authentication* authentication = nullptr;  // null: everyone may call everything
  AdminThread* admin = nullptr;              // for what follows
  ModelAdmin* models = nullptr;
  Backups* backups = nullptr;  // null: none are made
  std::atomic<std::size_t> subscriptions{0};
  std::atomic<std::size_t> unsent_bytes{0};         // of answers to come or not taken, and their requests
  std::vector<std::unique_ptr<Mailbox>> mailboxes;  // by loop
  std::vector<std::unique_ptr<ServingLoop>> loops;
};

// How a serving loop treats requests.
struct ServingOptions {
  absl::Duration max_future = absl::Minutes(5);  // how far a reading's time may lie ahead of the clock
  // A call of Stream whose client takes none of its answers for so long is cancelled; one on which nothing is
  // sent for so long ends with UNAVAILABLE. Looked after once a tick.
  absl::Duration stalled = absl::Seconds(30);
  absl::Duration idle = absl::Minutes(10);
  absl::Duration tick = absl::Seconds(5);
  std::size_t unsent_bytes = limits::kUnsentBytes;
  std::size_t client_unsent_bytes = limits::kClientUnsentBytes;
  std::size_t subscription_bytes = limits::kSubscriptionBytes;
  std::size_t waiting_readings = limits::kWaitingReadings;
  bool recovers = false;  // the shard's streams are to be brought back first, see BeReady
};

// A shard's thread and its completion queue: all RPCs of the connections that gRPC gives to the queue
// (tidegate.v1.Forecaster, grpc.health.v1.Health). It takes in requests until the queue is dry, advances the
// streams of all of them in batches, and sends the answers together. So batches form while the server is
// busy, and a reading that comes alone does not wait for company. What belongs to another shard's streams
// goes there by its mailbox; with a single shard nothing crosses a thread. Health is served here too, so that
// it says something about this thread; gRPC's own health service would add polling threads that double the
// CPU time of a lone request.
class ServingLoop {
 public:
  // Adds a queue to `builder`. All arguments but the repository must outlive it. index: in group.loops.
  ServingLoop(std::size_t index, ServingGroup& group, const Repository& repository,
              const ServingOptions& options, ShardMetrics& metrics, grpc::ServerBuilder& builder);

  // Begins to serve, once the builder's server has started and the group is complete.
  void Start();

  // Calls `task` in this loop's thread. Safe from any thread, until End.
  void Post(std::function<void()> task);

  // The same, and waits until it has: from any other thread.
  void Do(const std::function<void()>& task);

  // Has the loop look into its mailbox. Safe from any thread, until End.
  void WakeUp();

  // Of a loop that recovers: until it is called, health is NOT_SERVING, calls are refused and the loop does
  // not touch its shard, which belongs to the caller. Counts down when it serves. Safe from any thread; once.
  void BeReady(absl::BlockingCounter& not_ready);

  // Health is NOT_SERVING from now on. Safe from any thread.
  void AnnounceShutdown();

  // Ends all calls that last with UNAVAILABLE as soon as what they have sent is answered. Safe from any
  // thread.
  void Drain();

  // Calls `then` in this loop's thread when it has no calls, once; of several that wait the last one's. Safe
  // from any thread, until End.
  void WhenWithoutCalls(std::function<void()> then);

  // After grpc::Server::Shutdown, when no loop has calls, as others may need this one: ends the thread. Safe
  // from any other thread; once.
  void End();

  // What follows is for the loop's thread, that is for the calls.

  // Calls `work` with loop `index`, in its thread, and then, once what its streams are is durable, `then` in
  // this one.
  void At(std::size_t index, std::function<void(ServingLoop&)> work, std::function<void()> then);
  // Calls `work` with every loop, in their threads.
  void Everywhere(const std::function<void(ServingLoop&)>& work);

  std::size_t index() const { return peer_.index(); }
  std::size_t shards() const { return peer_.shards(); }
  ServingGroup& group() { return group_; }
  const ServingOptions& options() const { return options_; }
  grpc::ServerCompletionQueue& queue() { return *queue_; }
  const Repository& repository() const { return repository_; }
  void SetRepository(const Repository& repository) { repository_ = repository; }
  Shard& shard() { return shard_; }
  Admission& admission() { return admission_; }
  StreamService& streams() { return streams_; }
  ModelService& models() { return models_; }
  Subscriptions& subscriptions() { return subscriptions_; }
  // May the call of `context`, which begins now, go on? Health asks nobody.
  absl::Status Authenticate(Method method, const grpc::ServerContext& context);
  // Who makes the call.
  std::shared_ptr<Client> ClientOf(const grpc::ServerContext& context);
  bool draining() const { return draining_; }
  HealthStatus Health(const std::string& service) const;
  void Opened(Call* call);
  void Closed(Call* call);
  // Counts a request that ends with `code` and no answer, and one that is answered now.
  void CountRequest(Method method, absl::StatusCode code) {
    metrics_.request(method, static_cast<int>(code)).Add(1);
  }
  // Returns now.
  Work::Clock::time_point CountAnswer(Method method, Work::Clock::time_point received);
  // An answer that was counted at `counted` is with gRPC.
  void CountSend(Work::Clock::time_point counted);
  void CountLack(Lack lack) { metrics_.lack(lack).Add(1); }
  // An answer is to come, and is taken or dropped; bytes: of its request and its forecasts. There are too
  // many that are not.
  void Sending(std::size_t bytes) { group_.unsent_bytes += bytes; }
  void Sent(std::size_t bytes) { group_.unsent_bytes -= bytes; }
  // of_client: of these bytes.
  bool unsent_full(std::size_t of_client = 0) const {
    return group_.unsent_bytes >= options_.unsent_bytes || of_client >= options_.client_unsent_bytes;
  }
  // A call has a message that is not looked at before others have taken their answers: Call::TakeHeld is
  // called when some have, and once a tick, as they may be calls of other loops; calls have their turns in
  // the order in which they came.
  void Hold(Call* call) { holding_.push_back(call); }
  bool holds() const { return !holding_.empty(); }

 private:
  enum class Gathered { kDry, kMore, kEnded };

  void Run();
  void WaitForCalls();
  void Handle(void* tag, bool ok);
  Gathered Gather();
  void AnswerSome();
  void TakeHeld();
  void Tick();
  void SetTicks();
  void TellHealth();
  bool idle() const { return !ready_ || peer_.idle(); }
  Mailbox& mailbox() { return *group_.mailboxes[index()]; }

  ServingGroup& group_;
  const ServingOptions options_;
  ShardMetrics& metrics_;
  Repository repository_;
  std::unique_ptr<grpc::ServerCompletionQueue> queue_;
  Shard shard_;
  ShardPeer peer_;
  Admission admission_;
  StreamService streams_;
  ModelService models_;
  Subscriptions subscriptions_;
  absl::flat_hash_set<Call*> calls_;  // open
  std::vector<Call*> answered_;
  std::vector<Call*> holding_, held_before_;  // in turn
  std::uint64_t sent_ = 0;                    // answers
  Work::Clock::time_point gathered_;          // when the queue was last looked at
  std::atomic<bool> serving_;                 // for Health
  bool ready_;
  bool draining_ = false;
  std::function<void()> when_without_calls_;  // null: nobody waits for it
  grpc::Alarm wake_;                          // wakes the thread when there is mail
  std::atomic<bool> waking_{false};           // wake_ has been set, and its event not been taken
  grpc::Alarm tick_;                          // now and then, while there are calls
  bool ticking_ = false;
  std::thread thread_;
};

grpc::ByteBuffer Serialize(const v1::PushResponse& response);

}  // namespace tidegate
