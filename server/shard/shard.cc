#include "server/shard/shard.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <utility>

#include "server/shard/cold_streams.h"
#include "server/shard/shard_journal.h"

namespace tidegate {
namespace {

// What one Run does at most: many small batches, or some large ones.
constexpr std::size_t kRunBatches = 32;
constexpr std::size_t kRunReadings = 1024;
constexpr std::uint32_t kTouchedTogether = 16;  // readings whose streams are fetched together

}  // namespace

Shard::Shard(std::span<const std::shared_ptr<const Model>> models, StreamBudget& budget,
             ShardMetrics& metrics)
    : table_(budget), metrics_(&metrics) {
  for (std::size_t m = 0; m < models.size(); ++m) AddModel(models[m], metrics.models[m]);
}

Shard::~Shard() = default;

void Shard::AddModel(std::shared_ptr<const Model> model, ModelMetrics& metrics) {
  table_.AddModel(*model);
  const auto index = static_cast<std::uint32_t>(lanes_.size());
  lanes_.push_back(std::make_unique<Lane>(std::move(model), index, table_, *metrics_, metrics));
  lanes_.back()->WriteTo(journal_);
}

bool Shard::DeleteSlots(std::uint32_t model, std::uint32_t begin, std::uint32_t end) {
  StreamKey key{.model = static_cast<std::uint16_t>(model), .generation = 0, .slot = begin};
  for (; key.slot < std::min(end, table_.slots(model)); ++key.slot) {
    const absl::string_view id = table_.id(key);
    if (!id.empty()) Delete(*table_.Find(id));
  }
  return end < table_.slots(model);
}

void Shard::RemoveModel(std::uint32_t model) {
  table_.RemoveModel(model);
  lanes_[model].reset();
}

void Shard::Admit(Work& work) {
  work.left = work.served();
  if (work.size() > 0) {
    work.features = work.value.size() / work.size();
    work.width = work.forecast.size() / work.size();
  }
  work.started = false;
  work.any_reason = false;
  const std::size_t first_handle = work.handles->size();
  for (const std::string* id : work.ids) work.handles->Add(*id, table_, cold_ != nullptr);
  if (cold_ != nullptr) LoadCold(work, first_handle);
  for (std::size_t k = 0; k < work.served(); ++k) {
    if (k % kTouchedTogether == 0 && !work.handle.empty()) Touch(work, k);
    AdmitReading(work, work.row(k),
                 work.handle.empty() ? static_cast<std::uint32_t>(first_handle + k) : work.handle[k]);
  }
  if (work.left == 0) empty_.push_back(&work);
}

// Fetches the next kTouchedTogether readings' streams together: when there are a million of them, most are in
// no cache.
void Shard::Touch(const Work& work, std::size_t first) const {
  const std::size_t end = std::min(first + kTouchedTogether, work.handle.size());
  for (std::size_t k = first; k < end; ++k) {
    if (work.handle[k] >= work.handles->size()) continue;
    const StreamKey key = work.handles->key(work.handle[k]);
    if (key.model == work.model && key.slot < table_.slots(key.model)) table_.Touch(key);
  }
}

// Brings the streams of a message back that are not in memory, all at once.
void Shard::LoadCold(const Work& work, std::size_t first_handle) {
  wanted_.clear();
  const StreamHandles& handles = *work.handles;
  for (std::size_t k = 0; k < work.served(); ++k) {
    const auto handle = work.handle.empty() ? static_cast<std::uint32_t>(first_handle + k) : work.handle[k];
    if (handle >= handles.size()) continue;
    const StreamHandles::State state = handles.state(handle);
    if (state == StreamHandles::State::kBound && table_.Holds(handles.key(handle))) continue;
    if (state != StreamHandles::State::kBadId) wanted_.push_back(handles.id(handle));
  }
  cold_->Load(wanted_);
}

void Shard::Headers(std::span<const absl::string_view> ids, std::span<std::optional<StreamHeader>> headers) {
  if (cold_ != nullptr) cold_->Headers(ids, headers);
  for (std::size_t i = 0; i < ids.size(); ++i) {
    if (const auto key = table_.Find(ids[i])) headers[i] = table_.header(*key);
  }
}

std::optional<StreamKey> Shard::Find(absl::string_view id, std::uint64_t* position) {
  return cold_ == nullptr ? table_.Find(id) : cold_->Load(id, position);
}

void Shard::KeepWithin(std::size_t memory, std::size_t cold, ShardJournal& journal) {
  cold_ = std::make_unique<ColdStreams>(table_, journal, metrics_->cold, memory, cold);
}

void Shard::AdmitReading(Work& work, std::uint32_t i, std::uint32_t handle) {
  Lane& lane = *lanes_[work.model];
  StreamHandles& handles = *work.handles;
  if (refuses_) {
    metrics_->lack(Lack::kDisk).Add(1);
    return lane.Refuse(work, i, Outcome::kOverloaded, Reason::kDiskFull);
  }
  if (handle >= handles.size()) return lane.Refuse(work, i, Outcome::kInvalid, Reason::kUnknownHandle);
  const StreamHandles::State state = handles.state(handle);
  if (state == StreamHandles::State::kBadId)
    return lane.Refuse(work, i, Outcome::kInvalid, Reason::kStreamId);
  if (state == StreamHandles::State::kNamed && !BindStream(work, i, handle)) return;
  if (cold_ != nullptr && !table_.Holds(handles.key(handle))) {  // it has left the table and come back
    if (const auto now = table_.Find(handles.id(handle))) handles.Bind(handle, *now);
  }
  const StreamKey key = handles.key(handle);
  if (!table_.Holds(key)) return lane.Refuse(work, i, Outcome::kInvalid, Reason::kStreamDeleted);
  if (key.model != work.model) return lane.Refuse(work, i, Outcome::kInvalid, Reason::kOtherModel);
  lane.Enqueue(key.slot, work, i);
}

bool Shard::BindStream(Work& work, std::uint32_t i, std::uint32_t handle) {
  Lane& lane = *lanes_[work.model];
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
      metrics_->lack(Lack::kStreams).Add(1);
      lane.Refuse(work, i, Outcome::kOverloaded, Reason::kNone);
      return false;
    }
    CountCreated(work.model);
  }
  work.handles->Bind(handle, *key);
  return true;
}

void Shard::Replay(Work& work, std::span<const StreamKey> keys) {
  work.left = work.size();
  work.features = work.value.size() / work.size();
  work.width = 0;
  work.started = true;  // nobody waits for it
  for (std::uint32_t i = 0; i < work.size(); ++i) lanes_[work.model]->Enqueue(keys[i].slot, work, i);
}

void Shard::Run(std::vector<Work*>& done) {
  const std::size_t first = done.size();
  done.insert(done.end(), empty_.begin(), empty_.end());
  empty_.clear();
  std::size_t readings = 0;
  for (std::size_t batches = 0; batches < kRunBatches && readings < kRunReadings && !idle(); ++batches) {
    for (const auto& lane : lanes_) {
      if (lane != nullptr && !lane->idle()) readings += lane->StepBatch(done, observer_);
    }
  }
  if (journal_ != nullptr) Submit(done, first);
  done.insert(done.end(), durable_.begin(), durable_.end());
  durable_.clear();
  if (cold_ == nullptr || stays_) return;
  cold_->Evict();
  CountAllStreams();  // some have come back, and some have gone
}

void Shard::Submit(std::vector<Work*>& done, std::size_t first) {
  journal_->Submit(/*alone=*/lanes_idle() && waiting_.empty());
  if (journal_->all_durable()) return;
  const auto now = Work::Clock::now();
  for (std::size_t i = first; i < done.size(); ++i)
    waiting_.push_back({journal_->position(), done[i], {}, now});
  done.resize(first);
}

void Shard::Durable(std::uint64_t position) {
  journal_->Durable(position);
  const auto now = Work::Clock::now();
  while (!waiting_.empty() && waiting_.front().position <= position) {
    const Waiting through = std::move(waiting_.front());
    waiting_.pop_front();
    if (through.work == nullptr) {
      through.call();
      continue;
    }
    durable_.push_back(through.work);
    const std::chrono::duration<double> waited = now - through.since;
    metrics_->stage(Stage::kJournal).Observe(waited.count());
  }
}

void Shard::WhenDurable(std::function<void()> then) {
  if (journal_ != nullptr) journal_->Submit();
  if (journal_ == nullptr || journal_->all_durable()) return then();
  waiting_.push_back({journal_->position(), nullptr, std::move(then), {}});
}

void Shard::WriteTo(ShardJournal* journal) {
  journal_ = journal;
  for (const auto& lane : lanes_) {
    if (lane != nullptr) lane->WriteTo(journal);
  }
}

absl::Status Shard::PutDeleted() {
  journal_->Submit();
  return cold_->PutDeleted();
}

bool Shard::PutChanged(StreamKey& next, std::uint32_t slots, StateBatch& batch) {
  journal_->Submit();
  for (; next.model < lanes_.size(); ++next.model, next.slot = 0) {
    for (; lanes_[next.model] != nullptr && next.slot < table_.slots(next.model); ++next.slot) {
      if (slots-- == 0) return true;
      const absl::string_view id = table_.id(next);
      if (id.empty() || !std::exchange(table_.changed(next), false)) continue;
      // The journal has readings, not the steps of those that they released: the state is to have these.
      if (lanes_[next.model]->IsReleasing(next.slot)) {
        lanes_[next.model]->Settle(next.slot, empty_, observer_);
        table_.changed(next) = false;
        journal_->Submit();
      }
      batch.Put(id, journal_->position(), journal_->model(next.model), header(next), floats(next));
    }
  }
  return false;
}

bool Shard::Expire(StreamKey& next, std::uint32_t slots, std::int64_t before_ns, std::size_t& ended) {
  for (; next.model < lanes_.size(); ++next.model, next.slot = 0) {
    for (; lanes_[next.model] != nullptr && next.slot < table_.slots(next.model); ++next.slot) {
      if (slots-- == 0) return true;
      if (table_.id(next).empty() || std::exchange(table_.taken(next), false)) continue;
      if (header(next).timestamp_ns >= before_ns || table_.queue(next).first != StreamQueue::kNone) continue;
      Delete(table_.KeyOf(next));
      ++ended;
    }
  }
  return false;
}

bool Shard::ExpireCold(absl::string_view id, std::int64_t timestamp_ns) {
  if (table_.Find(id)) return false;
  const auto key = Find(id);
  if (!key || header(*key).timestamp_ns != timestamp_ns) return false;
  Delete(*key);
  return true;
}

void Shard::CountStreams(std::uint32_t model) {
  ModelMetrics& metrics = lanes_[model]->metrics();
  metrics.streams.Set(static_cast<std::int64_t>(table_.streams(model)));
  metrics.state_bytes.Set(static_cast<std::int64_t>(table_.state_bytes(model)));
}

void Shard::CountCreated(std::uint32_t model) {
  lanes_[model]->metrics().streams_created.Add(1);
  CountStreams(model);
}

void Shard::Reset(StreamKey key) {
  lanes_[key.model]->Reset(key.slot);
  if (journal_ != nullptr) journal_->NoteReset(table_.id(key));
}

void Shard::Delete(StreamKey key) {
  if (journal_ != nullptr) journal_->NoteDelete(table_.id(key));
  lanes_[key.model]->Abandon(key.slot, empty_);
  table_.Remove(key);
  lanes_[key.model]->metrics().streams_deleted.Add(1);
  CountStreams(key.model);
}

bool Shard::Create(absl::string_view id, std::uint32_t model, const StreamHeader& header,
                   std::span<const float> floats) {
  const auto key = refuses_ ? std::nullopt : table_.Create(id, model);
  if (!key) {
    metrics_->lack(refuses_ ? Lack::kDisk : Lack::kStreams).Add(1);
    return false;
  }
  table_.header(*key) = header;
  std::ranges::copy(floats, table_.floats(*key).begin());
  if (journal_ != nullptr) journal_->NoteState(id, model, header, floats);
  CountCreated(model);
  return true;
}

StreamKey Shard::Restore(absl::string_view id, std::uint32_t model, const StreamHeader& header,
                         std::span<const float> floats) {
  const StreamKey key = table_.Restore(id, model);
  table_.header(key) = header;
  if (!floats.empty()) std::ranges::copy(floats, table_.floats(key).begin());
  table_.changed(key) = floats.empty();
  return key;
}

void Shard::Replace(StreamKey key, const StreamHeader& header, std::span<const float> floats) {
  table_.header(key) = header;
  std::ranges::copy(floats, table_.floats(key).begin());
  table_.changed(key) = true;
}

void Shard::CountIn(ShardMetrics& metrics) {
  metrics_ = &metrics;
  for (std::uint32_t m = 0; m < lanes_.size(); ++m) {
    if (lanes_[m] == nullptr) continue;
    lanes_[m]->CountIn(metrics, metrics.models[m]);
    CountStreams(m);
  }
}

void Shard::CountAllStreams() {
  for (std::uint32_t m = 0; m < lanes_.size(); ++m) {
    if (lanes_[m] != nullptr) CountStreams(m);
  }
}

void Shard::Forecast(StreamKey key, std::span<float> forecast) {
  if (header(key).steps > 0) return lanes_[key.model]->Forecast(key.slot, forecast);
  std::ranges::fill(forecast, std::numeric_limits<float>::quiet_NaN());
}

bool Shard::idle() const {
  if (cold_ != nullptr && !stays_ && cold_->Overflows()) return false;
  return empty_.empty() && durable_.empty() && lanes_idle();
}

bool Shard::lanes_idle() const {
  return std::ranges::all_of(lanes_, [](const auto& lane) { return lane == nullptr || lane->idle(); });
}

}  // namespace tidegate
