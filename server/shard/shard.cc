#include "server/shard/shard.h"

#include <algorithm>
#include <limits>

namespace tidegate {
namespace {

// What one Run does at most: many small batches, or some large ones.
constexpr std::size_t kRunBatches = 32;
constexpr std::size_t kRunReadings = 1024;
constexpr std::uint32_t kAhead = 16;  // readings whose streams are fetched together

}  // namespace

Shard::Shard(std::span<const std::shared_ptr<const Model>> models, std::size_t max_streams,
             ShardMetrics& metrics)
    : table_(models, max_streams), metrics_(metrics) {
  for (std::uint32_t m = 0; m < models.size(); ++m) {
    lanes_.emplace_back(models[m], m, table_, metrics, metrics.models[m]);
  }
}

void Shard::Admit(Work& work) {
  work.left = work.size();
  if (work.size() > 0) {
    work.features = work.value.size() / work.size();
    work.width = work.forecast.size() / work.size();
  }
  work.started = false;
  work.any_reason = false;
  const std::size_t first_handle = work.handles->size();
  for (const std::string* id : work.ids) work.handles->Add(*id, table_);
  for (std::uint32_t i = 0; i < work.size(); ++i) {
    if (i % kAhead == 0 && !work.handle.empty()) Touch(work, i);
    AdmitReading(work, i,
                 work.handle.empty() ? static_cast<std::uint32_t>(first_handle) + i : work.handle[i]);
  }
  if (work.left == 0) empty_.push_back(&work);
}

// Fetches the next kAhead readings' streams together: when there are a million of them, most are in no cache.
void Shard::Touch(const Work& work, std::uint32_t first) const {
  const std::size_t end = std::min<std::size_t>(first + kAhead, work.size());
  for (std::size_t i = first; i < end; ++i) {
    if (work.handle[i] >= work.handles->size()) continue;
    const StreamKey key = work.handles->key(work.handle[i]);
    if (key.model == work.model && key.slot < table_.slots(key.model)) table_.Touch(key);
  }
}

void Shard::AdmitReading(Work& work, std::uint32_t i, std::uint32_t handle) {
  Lane& lane = lanes_[work.model];
  StreamHandles& handles = *work.handles;
  if (handle >= handles.size()) return lane.Refuse(work, i, Outcome::kInvalid, Reason::kUnknownHandle);
  const StreamHandles::State state = handles.state(handle);
  if (state == StreamHandles::State::kBadId)
    return lane.Refuse(work, i, Outcome::kInvalid, Reason::kStreamId);
  if (state == StreamHandles::State::kNamed && !BindStream(work, i, handle)) return;
  const StreamKey key = handles.key(handle);
  if (!table_.Holds(key)) return lane.Refuse(work, i, Outcome::kInvalid, Reason::kStreamDeleted);
  if (key.model != work.model) return lane.Refuse(work, i, Outcome::kInvalid, Reason::kOtherModel);
  lane.Enqueue(key.slot, work, i);
}

bool Shard::BindStream(Work& work, std::uint32_t i, std::uint32_t handle) {
  Lane& lane = lanes_[work.model];
  auto key = table_.Find(work.handles->id(handle));
  if (!key) {
    // Only a reading that a new stream would take begins one, or that uses up its number.
    const Decision decision = Decide(lane.model().spec(), StreamHeader(), work.reading(i), work.latest_ns);
    if (decision.outcome != Outcome::kApplied && !decision.refuse_number) {
      lane.Refuse(work, i, decision.outcome, decision.reason);
      return false;
    }
    key = table_.Create(work.handles->id(handle), work.model);
    if (!key) {
      metrics_.lack(Lack::kStreams).Add(1);
      lane.Refuse(work, i, Outcome::kOverloaded, Reason::kNone);
      return false;
    }
    CountCreated(work.model);
  }
  work.handles->Bind(handle, *key);
  return true;
}

void Shard::Run(std::vector<Work*>& done) {
  done.insert(done.end(), empty_.begin(), empty_.end());
  empty_.clear();
  std::size_t readings = 0;
  for (std::size_t batches = 0; batches < kRunBatches && readings < kRunReadings && !idle(); ++batches) {
    for (Lane& lane : lanes_) {
      if (!lane.idle()) readings += lane.StepBatch(done, observer_);
    }
  }
}

void Shard::CountStreams(std::uint32_t model) {
  metrics_.models[model].streams.Set(static_cast<std::int64_t>(table_.streams(model)));
  metrics_.models[model].state_bytes.Set(static_cast<std::int64_t>(table_.state_bytes(model)));
}

void Shard::CountCreated(std::uint32_t model) {
  metrics_.models[model].streams_created.Add(1);
  CountStreams(model);
}

void Shard::Delete(StreamKey key) {
  lanes_[key.model].Abandon(key.slot, empty_);
  table_.Remove(key);
  metrics_.models[key.model].streams_deleted.Add(1);
  CountStreams(key.model);
}

bool Shard::Create(absl::string_view id, std::uint32_t model, const StreamHeader& header,
                   std::span<const float> floats) {
  const auto key = table_.Create(id, model);
  if (!key) {
    metrics_.lack(Lack::kStreams).Add(1);
    return false;
  }
  table_.header(*key) = header;
  std::ranges::copy(floats, table_.floats(*key).begin());
  CountCreated(model);
  return true;
}

void Shard::Forecast(StreamKey key, std::span<float> forecast) {
  if (header(key).steps > 0) return lanes_[key.model].Forecast(key.slot, forecast);
  std::ranges::fill(forecast, std::numeric_limits<float>::quiet_NaN());
}

bool Shard::idle() const {
  return empty_.empty() && std::ranges::all_of(lanes_, [](const Lane& lane) { return lane.idle(); });
}

}  // namespace tidegate
