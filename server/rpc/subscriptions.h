#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/metrics/metrics.h"
#include "server/models/repository.h"
#include "server/rpc/call.h"
#include "server/shard/shard.h"
#include "tidegate/v1/forecaster.pb.h"

namespace tidegate {

// What one subscriber has asked for, and the events of it that wait to be sent, as messages that are ready.
// They take no more than `most_bytes`; for what comes beyond that the oldest are dropped, and counted in the
// message that follows them. Thread-safe but for what is said: shards add, its call takes.
class Subscription {
 public:
  // call: whose Answer sends what waits, in the thread of loop `home`.
  Subscription(const v1::SubscribeRequest& request, Call* call, std::size_t home, std::size_t most_bytes);

  const v1::SubscribeRequest& request() const { return request_; }
  std::size_t home() const { return home_; }

  // Whether it may be of interest to the subscriber what streams of this model do.
  bool Wants(const Model& model) const {
    return request_.model().empty() || request_.model() == model.spec().name;
  }
  // Adds the readings of a batch that it wants. metrics: of the shard that does so. True: Tell is to be
  // called in the home's thread.
  bool Add(const Model& model, std::span<const AppliedReading> readings, SubscriptionMetrics& metrics);

  // What follows is for the home's thread.

  // The oldest message that waits, which the next Take overwrites; null: there is none, and Add says when
  // there is. metrics: of the home's shard.
  const v1::Events* Take(SubscriptionMetrics& metrics);
  // Has the call send what waits.
  void Tell() {
    if (call_ != nullptr) call_->Answer();
  }
  // The call ends.
  void Forget() { call_ = nullptr; }

 private:
  struct Waiting {
    v1::Events events;
    std::size_t bytes = 0;  // about what it takes in memory
  };
  void BeginBatch(const Model& model) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void AddEvent(const Model& model, const AppliedReading& reading, SubscriptionMetrics& metrics)
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void BeginMessage(const Model& model) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);
  void DropOldest(SubscriptionMetrics& metrics) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  const v1::SubscribeRequest request_;
  Call* call_;  // the home's thread's
  const std::size_t home_;
  const std::size_t most_bytes_;
  std::unique_ptr<Waiting> taken_;  // the home's thread's

  absl::Mutex mutex_;
  std::deque<std::unique_ptr<Waiting>> waiting_ ABSL_GUARDED_BY(mutex_);
  std::size_t bytes_ ABSL_GUARDED_BY(mutex_) = 0;  // of waiting_
  bool told_ ABSL_GUARDED_BY(mutex_) = false;      // the call knows that something waits
  // Of the batch being added.
  std::size_t horizon_ ABSL_GUARDED_BY(mutex_) = 0;
  std::vector<std::uint8_t> levels_ ABSL_GUARDED_BY(mutex_);
  Waiting* open_ ABSL_GUARDED_BY(mutex_) = nullptr;  // the message that takes its events
};

// What a shard adds to subscriptions. Streams that are named are looked up once for all subscribers, and
// nothing is done while there are none. Owned by the shard's thread; not thread-safe.
class Subscriptions final : public AppliedObserver {
 public:
  // open: how many there are on the whole server; bytes: of one's events that wait, at most. All must outlive
  // this.
  Subscriptions(const Repository& repository, Shard& shard, std::atomic<std::size_t>& open, std::size_t bytes,
                SubscriptionMetrics& metrics)
      : repository_(repository), shard_(shard), open_(open), bytes_(bytes), metrics_(metrics) {}

  // A subscription, counted until Close; to be begun at every shard. Its home is this shard's loop, number
  // `home`. InvalidArgument: ids and a prefix, what no id is or begins with, too many ids, steps or levels
  // that a model does not forecast. NotFound: no such model. ResourceExhausted: too many subscriptions.
  absl::StatusOr<std::shared_ptr<Subscription>> Open(const v1::SubscribeRequest& request, Call* call,
                                                     std::size_t home);
  void Close();
  SubscriptionMetrics& metrics() { return metrics_; }

  // From now on, and no longer, what this shard's streams do is added to it.
  void Begin(const std::shared_ptr<Subscription>& subscription);
  void End(const std::shared_ptr<Subscription>& subscription);

  void Applied(const Model& model, std::span<const AppliedReading> readings) override;

  // Those of which Tell is to be called; the next call overwrites the result.
  const std::vector<std::shared_ptr<Subscription>>& TakeReady();

 private:
  using Shared = std::shared_ptr<Subscription>;
  absl::Status Check(const v1::SubscribeRequest& request) const;
  void Add(const Shared& subscription, const Model& model, std::span<const AppliedReading> readings);

  const Repository& repository_;
  Shard& shard_;
  std::atomic<std::size_t>& open_;
  const std::size_t bytes_;
  SubscriptionMetrics& metrics_;
  std::vector<Shared> all_;
  std::vector<Shared> wide_;  // those that name no streams
  absl::flat_hash_map<std::string, std::vector<Shared>> by_id_;
  std::vector<Shared> ready_, taken_;
};

}  // namespace tidegate
