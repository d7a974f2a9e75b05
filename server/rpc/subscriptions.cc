#include "server/rpc/subscriptions.h"

#include <algorithm>
#include <span>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "server/fault/fault.h"
#include "server/rpc/limits.h"
#include "server/rpc/request_check.h"
#include "server/shard/work.h"

namespace tidegate {
namespace {

// About what a message takes beside its events, and an event beside its id and forecast.
constexpr std::size_t kMessageOverhead = 512;
constexpr std::size_t kEventOverhead = sizeof(std::string) + 28;

// Messages, from the last one, among which one of the batch's model is looked for.
constexpr std::size_t kLookBack = 8;

}  // namespace

Subscription::Subscription(const v1::SubscribeRequest& request, Call* call, std::size_t home,
                           std::size_t most_bytes)
    : request_(request), call_(call), home_(home), most_bytes_(most_bytes) {}

bool Subscription::Add(const Model& model, std::span<const AppliedReading> readings,
                       SubscriptionMetrics& metrics) {
  absl::MutexLock lock(&mutex_);
  bool begun = false;
  for (const AppliedReading& reading : readings) {
    if (!absl::StartsWith(reading.id, request_.prefix())) continue;
    if (!begun) BeginBatch(model);
    begun = true;
    AddEvent(model, reading, metrics);
  }
  return begun && !std::exchange(told_, true);
}

void Subscription::AddEvent(const Model& model, const AppliedReading& reading, SubscriptionMetrics& metrics) {
  const std::size_t width = horizon_ * levels_.size();
  const std::size_t bytes = kEventOverhead + reading.id.size() + width * sizeof(float);
  if (open_ == nullptr || open_->bytes + bytes > limits::kEventsMessageBytes) BeginMessage(model);
  while (bytes_ + bytes > most_bytes_ && waiting_.front().get() != open_) DropOldest(metrics);

  v1::Events& events = open_->events;
  events.add_stream_id(reading.id.data(), reading.id.size());
  events.add_timestamp(reading.header->timestamp_ns);
  events.add_anomaly_score(reading.header->anomaly_score);
  events.add_steps(reading.header->steps);
  events.add_quality(reading.header->quality);
  const int before = events.forecast_size();
  events.mutable_forecast()->Resize(before + static_cast<int>(width), 0);
  PickForecast(reading.forecast, model.spec().quantiles.size(), levels_,
               {events.mutable_forecast()->mutable_data() + before, width});
  open_->bytes += bytes;
  bytes_ += bytes;
}

// A model may have been replaced by one of its name since the request was checked: what that one does not
// forecast is left out.
void Subscription::BeginBatch(const Model& model) {
  const ModelSpec& spec = model.spec();
  horizon_ = request_.horizon() == 0 ? spec.horizon : std::min<std::size_t>(request_.horizon(), spec.horizon);
  FindLevels(request_.quantile(), spec, levels_);
  open_ = nullptr;
  const std::size_t last = waiting_.size();
  for (std::size_t back = 1; back <= std::min(last, kLookBack); ++back) {
    Waiting& waiting = *waiting_[last - back];
    const v1::Events& events = waiting.events;
    if (events.model() != spec.name) continue;
    // Only the model's last message: a stream's events are in order.
    const auto same = [&](float level, std::uint8_t index) { return level == spec.quantiles[index]; };
    if (events.horizon() == horizon_ && events.interval() == spec.interval_ns &&
        std::equal(events.quantile().begin(), events.quantile().end(), levels_.begin(), levels_.end(),
                   same)) {
      open_ = &waiting;
    }
    return;
  }
}

void Subscription::BeginMessage(const Model& model) {
  waiting_.push_back(std::make_unique<Waiting>());
  open_ = waiting_.back().get();
  open_->bytes = kMessageOverhead;
  bytes_ += kMessageOverhead;
  v1::Events& events = open_->events;
  events.set_model(model.spec().name);
  events.set_horizon(static_cast<std::uint32_t>(horizon_));
  for (const std::uint8_t level : levels_) events.add_quantile(model.spec().quantiles[level]);
  events.set_interval(model.spec().interval_ns);
}

// Requires a message after the oldest.
void Subscription::DropOldest(SubscriptionMetrics& metrics) {
  const Waiting& oldest = *waiting_.front();
  const auto events = static_cast<std::uint64_t>(oldest.events.timestamp_size());
  metrics.lost.Add(events);
  v1::Events& next = waiting_[1]->events;
  next.set_lost(next.lost() + oldest.events.lost() + events);
  bytes_ -= oldest.bytes;
  waiting_.pop_front();
}

const v1::Events* Subscription::Take(SubscriptionMetrics& metrics) {
  absl::MutexLock lock(&mutex_);
  if (waiting_.empty()) {
    told_ = false;
    return nullptr;
  }
  taken_ = std::move(waiting_.front());
  waiting_.pop_front();
  bytes_ -= taken_->bytes;
  metrics.events.Add(static_cast<std::uint64_t>(taken_->events.timestamp_size()));
  return &taken_->events;
}

absl::Status Subscriptions::Check(const v1::SubscribeRequest& request) const {
  if (request.stream_id_size() != 0 && !request.prefix().empty()) {
    return Refusal(Fault::kInvalidField, "prefix",
                   absl::StrCat("sent together with ", request.stream_id_size(),
                                " stream ids: send either ids or a prefix"));
  }
  if (static_cast<std::size_t>(request.stream_id_size()) > limits::kSubscriptionIds) {
    return Refusal(
        Fault::kInvalidField, "stream_id",
        absl::StrCat(request.stream_id_size(), " streams in a request; at most ", limits::kSubscriptionIds));
  }
  for (const std::string& id : request.stream_id()) {
    if (auto s = CheckStreamId("stream_id", id); !s.ok()) return s;
  }
  if (!request.prefix().empty()) {
    if (auto s = CheckStreamId("prefix", request.prefix()); !s.ok()) return s;
  }
  if (!request.model().empty()) {
    const auto index = repository_.Find(request.model());
    if (!index.ok()) return index.status();
    return CheckWanted(request.horizon(), request.quantile(), repository_.models()[*index].model->spec());
  }
  for (const ServedModel& served : repository_.models()) {
    if (!served.served) continue;
    if (auto s = CheckWanted(request.horizon(), request.quantile(), served.model->spec()); !s.ok()) return s;
  }
  return absl::OkStatus();
}

absl::StatusOr<std::shared_ptr<Subscription>> Subscriptions::Open(const v1::SubscribeRequest& request,
                                                                  Call* call, std::size_t home) {
  if (auto s = Check(request); !s.ok()) return s;
  if (open_.fetch_add(1) >= limits::kSubscriptions) {
    open_.fetch_sub(1);
    return Refusal(
        Fault::kSubscriptionsFull, "",
        absl::StrCat("this server has ", limits::kSubscriptions, " subscriptions, the most it may have"));
  }
  metrics_.open.Set(metrics_.open.value() + 1);
  return std::make_shared<Subscription>(request, call, home, bytes_);
}

void Subscriptions::Close() {
  open_.fetch_sub(1);
  metrics_.open.Set(metrics_.open.value() - 1);
}

void Subscriptions::Begin(const Shared& subscription) {
  all_.push_back(subscription);
  const v1::SubscribeRequest& request = subscription->request();
  const absl::flat_hash_set<std::string> ids(request.stream_id().begin(), request.stream_id().end());
  for (const std::string& id : ids) by_id_[id].push_back(subscription);
  if (ids.empty()) wide_.push_back(subscription);
  shard_.Observe(this);
}

void Subscriptions::End(const Shared& subscription) {
  std::erase(all_, subscription);
  std::erase(wide_, subscription);
  for (const std::string& id : subscription->request().stream_id()) {
    const auto named = by_id_.find(id);
    if (named == by_id_.end()) continue;  // named twice
    std::erase(named->second, subscription);
    if (named->second.empty()) by_id_.erase(named);
  }
  if (all_.empty()) shard_.Observe(nullptr);
}

void Subscriptions::Applied(const Model& model, std::span<const AppliedReading> readings) {
  for (const Shared& subscription : wide_) Add(subscription, model, readings);
  if (by_id_.empty()) return;
  for (std::size_t i = 0; i < readings.size(); ++i) {
    const auto named = by_id_.find(readings[i].id);
    if (named == by_id_.end()) continue;
    for (const Shared& subscription : named->second) Add(subscription, model, readings.subspan(i, 1));
  }
}

void Subscriptions::Add(const Shared& subscription, const Model& model,
                        std::span<const AppliedReading> readings) {
  if (subscription->Wants(model) && subscription->Add(model, readings, metrics_))
    ready_.push_back(subscription);
}

const std::vector<std::shared_ptr<Subscription>>& Subscriptions::TakeReady() {
  taken_.clear();
  std::swap(ready_, taken_);
  return taken_;
}

}  // namespace tidegate
