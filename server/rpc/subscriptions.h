#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "server/metrics/metrics.h"
#include "server/models/repository.h"
#include "server/rpc/call.h"
#include "server/shard/shard.h"
#include "tidegate/v1/forecaster.pb.h"

namespace tidegate {

// What one subscriber has asked for, and the events of it that wait to be sent, as messages that are ready.
// They take no more than limits::kSubscriptionBytes; for what comes beyond that the oldest are dropped, and
// counted in the message that follows them. Not thread-safe.
class Subscription {
 public:
  // call: whose Answer sends what waits. metrics must outlive this.
  Subscription(const v1::SubscribeRequest& request, Call* call, SubscriptionMetrics& metrics);

  const v1::SubscribeRequest& request() const { return request_; }
  Call* call() const { return call_; }

  // Whether it may be of interest to the subscriber what streams of this model do.
  bool Wants(const Model& model) const {
    return request_.model().empty() || request_.model() == model.spec().name;
  }
  // Adds an event. batch: another number for each batch of readings, from 1; all of one are of the same
  // model.
  void Add(std::uint64_t batch, const Model& model, const AppliedReading& reading);

  bool empty() const { return waiting_.empty(); }
  // The oldest message that waits, which the next Take overwrites. Requires that there is one.
  const v1::Events& Take();

 private:
  struct Waiting {
    v1::Events events;
    std::size_t bytes = 0;  // about what it takes in memory
  };
  void BeginBatch(const Model& model);
  void BeginMessage();
  void DropOldest();

  const v1::SubscribeRequest request_;
  Call* const call_;
  SubscriptionMetrics& metrics_;
  std::deque<std::unique_ptr<Waiting>> waiting_;
  std::unique_ptr<Waiting> taken_ = std::make_unique<Waiting>();
  std::size_t bytes_ = 0;  // of waiting_

  // Of the batch being added.
  std::uint64_t batch_ = 0;
  const Model* model_ = nullptr;
  std::size_t horizon_ = 0;
  std::vector<std::uint8_t> levels_;
  Waiting* open_ = nullptr;  // the message that takes its events
};

// All subscriptions of a shard. Streams that are named are looked up once for all subscribers, and nothing is
// done while there are none. Owned by the shard's thread; not thread-safe.
class Subscriptions final : public AppliedObserver {
 public:
  // All must outlive this.
  Subscriptions(const Repository& repository, Shard& shard, SubscriptionMetrics& metrics)
      : repository_(repository), shard_(shard), metrics_(metrics) {}

  // From now on, what `request` selects is added to a subscription, which lasts until it is ended.
  // InvalidArgument: ids and a prefix, what no id is or begins with, too many ids, steps or levels that a
  // model does not forecast. NotFound: no such model. ResourceExhausted: too many subscriptions.
  absl::StatusOr<std::unique_ptr<Subscription>> Begin(const v1::SubscribeRequest& request, Call* call);

  // Nothing more is added to it.
  void End(Subscription& subscription);

  void Applied(const Model& model, std::span<const AppliedReading> readings) override;

  // The calls to whose subscriptions something was added since the last time; the next one overwrites the
  // result.
  const std::vector<Call*>& TakeReady();

 private:
  absl::Status Check(const v1::SubscribeRequest& request) const;
  void Add(Subscription& subscription, const Model& model, const AppliedReading& reading);

  const Repository& repository_;
  Shard& shard_;
  SubscriptionMetrics& metrics_;
  std::vector<Subscription*> all_;
  std::vector<Subscription*> wide_;  // those that name no streams
  absl::flat_hash_map<std::string, std::vector<Subscription*>> by_id_;
  std::uint64_t batch_ = 0;
  std::vector<Call*> ready_, taken_;
};

}  // namespace tidegate
