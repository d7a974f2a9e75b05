#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "engine/model/model.h"
#include "server/metrics/metrics.h"
#include "server/shard/applied_observer.h"
#include "server/shard/lane.h"
#include "server/shard/stream_table.h"
#include "server/shard/work.h"

namespace tidegate {

// A set of streams with one owner: it takes requests in, decides what becomes of each reading, advances the
// streams in batches across all requests, and hands the requests back answered. What a reading's answer is
// depends on its stream alone, never on what else was waiting. Knows nothing of gRPC. Owned by one thread;
// not thread-safe.
class Shard {
 public:
  // budget: of streams; a reading that would begin one more than it has is OVERLOADED. metrics: has those of
  // the models. Both must outlive the shard.
  Shard(std::span<const std::shared_ptr<const Model>> models, StreamBudget& budget, ShardMetrics& metrics);

  // A further model, whose index is the next: 0, 1, 2, ... metrics must outlive the shard.
  void AddModel(std::shared_ptr<const Model> model, ModelMetrics& metrics);

  // Deletes the streams of a model in slots from `begin` to `end`; true: it has slots from `end` on. So all
  // of them can be deleted a slice at a time.
  bool DeleteSlots(std::uint32_t model, std::uint32_t begin, std::uint32_t end);

  // Lets go of a model that has no streams and no requests any more. Its index stays unused.
  void RemoveModel(std::uint32_t model);

  // Takes a request in; readings of a stream are answered in the order in which they were admitted.
  void Admit(Work& work);

  // Steps some batches, a few milliseconds' worth, so that the caller can look for new requests in between.
  // Appends the requests that are answered to `done`.
  void Run(std::vector<Work*>& done);

  // From now on `observer` sees every reading that is applied, batch by batch, within Run; null: nobody does,
  // which costs a branch per batch.
  void Observe(AppliedObserver* observer) { observer_ = observer; }

  // What follows sees and changes streams as they are between two batches: readings that wait have not been
  // taken yet.
  const StreamTable& table() const { return table_; }
  const StreamHeader& header(StreamKey key) { return table_.header(key); }
  const Model& model(StreamKey key) const { return lanes_[key.model]->model(); }
  // [horizon, Q], from the stream's present state; NaN if it has taken no step.
  void Forecast(StreamKey key, std::span<float> forecast);
  void Reset(StreamKey key) { lanes_[key.model]->Reset(key.slot); }
  // Forgets a stream; readings of it that wait are refused, as are those of handles that were opened before.
  void Delete(StreamKey key);
  // A new stream `id` with this header and these floats [StreamFloats], which may be another stream's. False:
  // the table is full. Requires that there is no stream `id`, and that the state is one of the model's.
  bool Create(absl::string_view id, std::uint32_t model, const StreamHeader& header,
              std::span<const float> floats);
  std::span<const float> floats(StreamKey key) { return table_.floats(key); }

  ShardMetrics& metrics() { return metrics_; }

  // Nothing waits: Run has nothing to do.
  bool idle() const;

 private:
  // Puts reading i of the message into its stream's queue or refuses it.
  void AdmitReading(Work& work, std::uint32_t i, std::uint32_t handle);
  void Touch(const Work& work, std::size_t first) const;
  void CountStreams(std::uint32_t model);
  void CountCreated(std::uint32_t model);
  // The stream of a handle that had none when it was named, created if need be. False: reading i was refused.
  bool BindStream(Work& work, std::uint32_t i, std::uint32_t handle);

  StreamTable table_;
  ShardMetrics& metrics_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // by model; null: removed
  std::vector<Work*> empty_;                  // requests that were answered when they were admitted
  AppliedObserver* observer_ = nullptr;
};

}  // namespace tidegate
