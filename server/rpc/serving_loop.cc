#include "server/rpc/serving_loop.h"

#include <grpc/support/time.h>
#include <grpcpp/support/proto_buffer_writer.h>

#include <algorithm>
#include <chrono>
#include <utility>

#include "absl/synchronization/notification.h"
#include "server/fault/fault.h"
#include "server/rpc/backups.h"
#include "server/rpc/fork_call.h"
#include "server/rpc/health_call.h"
#include "server/rpc/model_calls.h"
#include "server/rpc/push_call.h"
#include "server/rpc/question_call.h"
#include "server/rpc/stream_call.h"
#include "server/rpc/subscribe_call.h"

namespace tidegate {
namespace {

// Completions handled before the network runs again, however many more there are and whatever they ask for.
constexpr int kGatherLimit = 1024;
constexpr auto kMostGathering = std::chrono::milliseconds(5);

// However much waits for the network, somebody may ask for something else.
constexpr auto kMostUngathered = std::chrono::milliseconds(10);

std::vector<std::shared_ptr<const Model>> Models(const Repository& repository) {
  std::vector<std::shared_ptr<const Model>> models;
  for (const ServedModel& served : repository.models()) models.push_back(served.model);
  return models;
}

}  // namespace

ServingGroup::ServingGroup(std::size_t max_streams) : streams(max_streams) {}
ServingGroup::~ServingGroup() = default;

grpc::ByteBuffer Serialize(const v1::PushResponse& response) {
  const auto size = static_cast<int>(response.ByteSizeLong());
  grpc::ByteBuffer bytes;
  grpc::ProtoBufferWriter writer(&bytes, grpc::kProtoBufferWriterMaxBufferLength, size);
  response.SerializePartialToZeroCopyStream(&writer);
  return bytes;
}

ServingLoop::ServingLoop(std::size_t index, ServingGroup& group, const Repository& repository,
                         const ServingOptions& options, ShardMetrics& metrics, grpc::ServerBuilder& builder)
    : group_(group),
      options_(options),
      metrics_(metrics),
      repository_(repository),
      queue_(builder.AddCompletionQueue()),
      shard_(Models(repository), group.streams, metrics),
      peer_(index, shard_, group.mailboxes),
      admission_(repository_, peer_, metrics, options.max_future, options.waiting_readings),
      streams_(repository_, shard_, index, group.mailboxes.size()),
      models_(repository_, shard_),
      subscriptions_(repository_, shard_, group.subscriptions, options.subscription_bytes,
                     metrics.subscriptions),
      serving_(!options.recovers),
      ready_(!options.recovers) {}

void ServingLoop::Start() {
  thread_ = std::thread([this] {
    metrics_.busy.Begin();
    Run();
    metrics_.busy.End();
  });
}

void ServingLoop::Post(std::function<void()> task) { mailbox().Post(Letter{.task = std::move(task)}); }

void ServingLoop::Do(const std::function<void()>& task) {
  absl::Notification done;
  Post([&] {
    task();
    done.Notify();
  });
  done.WaitForNotification();
}

void ServingLoop::WakeUp() {
  // One event at a time: the one that is on its way wakes the thread as well. A time that has passed for
  // good: gRPC rounds others up to the next millisecond.
  if (!waking_.exchange(true)) wake_.Set(queue_.get(), gpr_inf_past(GPR_CLOCK_MONOTONIC), &wake_);
}

void ServingLoop::BeReady(absl::BlockingCounter& not_ready) {
  Post([this, &not_ready] {
    ready_ = serving_ = true;
    TellHealth();
    not_ready.DecrementCount();
  });
}

void ServingLoop::AnnounceShutdown() {
  serving_ = false;
  Post([this] {
    serving_ = false;  // also if it has become ready meanwhile
    TellHealth();
  });
}

void ServingLoop::TellHealth() {
  const std::vector<Call*> open(calls_.begin(), calls_.end());  // a copy: what follows may close calls
  for (Call* call : open) call->HealthChanged();
}

void ServingLoop::Drain() {
  Post([this] {
    draining_ = true;
    const std::vector<Call*> open(calls_.begin(), calls_.end());
    for (Call* call : open) call->Drain();
  });
}

void ServingLoop::WhenWithoutCalls(std::function<void()> then) {
  Post([this, then = std::move(then)]() mutable { when_without_calls_ = std::move(then); });
}

void ServingLoop::End() {
  Post([this] {
    if (ticking_) tick_.Cancel();
    queue_->Shutdown();
  });
  thread_.join();
}

void ServingLoop::At(std::size_t index, std::function<void(ServingLoop&)> work, std::function<void()> then) {
  if (index == this->index()) {
    work(*this);
    return shard_.WhenDurable(std::move(then));
  }
  ServingLoop& there = *group_.loops[index];
  there.Post([this, &there, work = std::move(work), then = std::move(then)]() mutable {
    work(there);
    there.shard_.WhenDurable([this, then = std::move(then)]() mutable { Post(std::move(then)); });
  });
}

void ServingLoop::Everywhere(const std::function<void(ServingLoop&)>& work) {
  for (const auto& loop : group_.loops) {
    if (loop.get() == this) {
      work(*this);
    } else {
      loop->Post([work, &loop] { work(*loop); });
    }
  }
}

absl::Status ServingLoop::Authenticate(Method method, const grpc::ServerContext& context) {
  if (!ready_) {
    return Refusal(Fault::kRecovering, "",
                   "this server has just started and brings its streams back, call again");
  }
  if (group_.authentication == nullptr) return absl::OkStatus();
  return group_.authentication->Check(method, context.client_metadata(), absl::Now());
}

std::shared_ptr<Client> ServingLoop::ClientOf(const grpc::ServerContext& context) {
  return group_.clients.Find(ClientName(context, group_.authentication != nullptr));
}

HealthStatus ServingLoop::Health(const std::string& service) const {
  using grpc::health::v1::HealthCheckResponse;
  if (!service.empty() && service != v1::Forecaster::service_full_name())
    return HealthCheckResponse::SERVICE_UNKNOWN;
  return serving_ ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

void ServingLoop::Opened(Call* call) {
  calls_.insert(call);
  metrics_.open_calls.Set(static_cast<std::int64_t>(calls_.size()));
  if (!ticking_) SetTicks();
}

void ServingLoop::Closed(Call* call) {
  calls_.erase(call);
  std::erase(holding_, call);
  metrics_.open_calls.Set(static_cast<std::int64_t>(calls_.size()));
}

void ServingLoop::WaitForCalls() {
  new PushCall(*this);
  new StreamCall(*this);
  new SubscribeCall(*this);
  WaitForQuestions(*this);
  new ForkCall(*this);
  WaitForModelCalls(*this);
  WaitForBackupCall(*this);
  new HealthCheckCall(*this);
  new HealthWatchCall(*this);
}

void ServingLoop::Run() {
  WaitForCalls();
  void* tag = nullptr;
  bool ok = false;
  while (true) {
    // Sleeps only when nothing waits.
    if (idle() && peer_.MaySleep()) {
      if (!queue_->Next(&tag, &ok)) return;
      Handle(tag, ok);
    }
    const Gathered gathered = Gather();
    if (gathered == Gathered::kEnded) return;
    // What was admitted leaves before tasks are called: a task may ask for what came before it to be done.
    peer_.Send();
    peer_.Receive();
    AnswerSome();
    if (holds()) TakeHeld();
    peer_.Send();
    admission_.TimeHasPassed();
    if (when_without_calls_ && gathered == Gathered::kDry && calls_.empty()) {
      std::exchange(when_without_calls_, nullptr)();
    }
  }
}

// Handles what has come, until the queue is dry or there is enough to do. While all that waits does so for
// the disk or for other shards, there is not.
ServingLoop::Gathered ServingLoop::Gather() {
  void* tag = nullptr;
  bool ok = false;
  const gpr_timespec past = gpr_inf_past(GPR_CLOCK_MONOTONIC);
  const auto now = Work::Clock::now();
  const bool overdue = now - gathered_ >= kMostUngathered;
  const auto enough = [&] { return !overdue && !idle() && admission_.busy(); };
  if (!enough()) gathered_ = now;
  const auto late = [&] { return Work::Clock::now() - now >= kMostGathering; };
  for (int i = 0; i < kGatherLimit && !enough() && !late(); ++i) {
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
  if (tag == &wake_) {
    waking_ = false;
  } else if (tag == &tick_) {
    ticking_ = false;
    if (ok) Tick();
  } else {
    const Tag& completed = *static_cast<Tag*>(tag);
    completed.call->Complete(completed.operation, ok);
  }
}

void ServingLoop::SetTicks() {
  ticking_ = true;
  tick_.Set(queue_.get(), absl::ToChronoTime(absl::Now() + options_.tick), &tick_);
}

void ServingLoop::Tick() {
  const std::vector<Call*> open(calls_.begin(), calls_.end());  // a copy: what follows may close calls
  // By a clock that nobody sets.
  const absl::Time now = absl::UnixEpoch() + absl::FromChrono(Work::Clock::now().time_since_epoch());
  for (Call* call : open) call->Tick(now);
  if (!calls_.empty()) SetTicks();
}

void ServingLoop::TakeHeld() {
  held_before_.swap(holding_);
  for (Call* const call : held_before_) {
    if (unsent_full() || !call->TakeHeld()) holding_.push_back(call);
  }
  held_before_.clear();
}

// Steps some batches and sends the answers that are complete, each call's together, then what subscribers
// get.
void ServingLoop::AnswerSome() {
  if (idle()) return;
  answered_.clear();
  for (const Exchange* exchange : admission_.Run()) {
    if (answered_.empty() || answered_.back() != exchange->call) answered_.push_back(exchange->call);
  }
  std::sort(answered_.begin(), answered_.end());
  answered_.erase(std::unique(answered_.begin(), answered_.end()), answered_.end());
  for (Call* call : answered_) call->Answer();
  for (const std::shared_ptr<Subscription>& ready : subscriptions_.TakeReady()) {
    if (ready->home() == index()) {
      ready->Tell();
    } else {
      group_.loops[ready->home()]->Post([ready] { ready->Tell(); });
    }
  }
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
