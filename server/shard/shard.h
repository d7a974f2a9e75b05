#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "engine/model/model.h"
#include "server/metrics/metrics.h"
#include "server/shard/applied_observer.h"
#include "server/shard/lane.h"
#include "server/shard/stream_table.h"
#include "server/shard/work.h"

namespace tidegate {

class ColdStreams;
class ShardJournal;
class StateBatch;

// A set of streams with one owner: it takes requests in, decides what becomes of each reading, advances the
// streams in batches across all requests, and hands the requests back answered. What a reading's answer is
// depends on its stream alone, never on what else was waiting. Knows nothing of gRPC. Owned by one thread;
// not thread-safe.
class Shard {
 public:
  // budget: of streams; a reading that would begin one more than it has is OVERLOADED. metrics: has those of
  // the models. Both must outlive the shard.
  Shard(std::span<const std::shared_ptr<const Model>> models, StreamBudget& budget, ShardMetrics& metrics);
  ~Shard();

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

  // From now on `observer` sees every reading that is applied, batch by batch, within Run and PutChanged;
  // null: nobody does, which costs a branch per batch.
  void Observe(AppliedObserver* observer) { observer_ = observer; }

  // What follows sees and changes streams as they are between two batches: readings that wait have not been
  // taken yet.
  const StreamTable& table() const { return table_; }
  // headers [N]: of the streams `ids`, wherever they are; nothing: there is no such stream. Those that are on
  // disk alone stay there.
  void Headers(std::span<const absl::string_view> ids, std::span<std::optional<StreamHeader>> headers);

  // The stream `id`, brought back into memory if need be. position: see ColdStreams::Load.
  std::optional<StreamKey> Find(absl::string_view id, std::uint64_t* position = nullptr);
  std::size_t models() const { return lanes_.size(); }  // those removed included
  const StreamHeader& header(StreamKey key) { return table_.header(key); }
  const Model& model(StreamKey key) const { return lanes_[key.model]->model(); }
  // [horizon, Q], from the stream's present state; NaN if it has taken no step.
  void Forecast(StreamKey key, std::span<float> forecast);
  void Reset(StreamKey key);
  // Forgets a stream; readings of it that wait are refused, as are those of handles that were opened before.
  void Delete(StreamKey key);
  // A new stream `id` with this header and these floats [StreamFloats], which may be another stream's. False:
  // the table is full, or readings are refused. Requires that there is no stream `id`, and that the state is
  // one of the model's.
  bool Create(absl::string_view id, std::uint32_t model, const StreamHeader& header,
              std::span<const float> floats);
  std::span<const float> floats(StreamKey key) { return table_.floats(key); }

  // Has `then` called when all that was done so far is durable; at once, if it is.
  void WhenDurable(std::function<void()> then);

  // From now on changes are noted in `journal`, and a request is handed back only when what it changed is
  // durable; null: no journal. Journal groups up to `position` have become durable.
  void WriteTo(ShardJournal* journal);
  ShardJournal* journal() { return journal_; }
  void Durable(std::uint64_t position);

  // From now on the streams in memory take at most so many bytes, and `cold` others are in the store of
  // `journal`. Run puts out those that do not fit, unless they are to stay for now.
  void KeepWithin(std::size_t memory, std::size_t cold, ShardJournal& journal);
  void StayInMemory(bool stay) { stays_ = stay; }
  const ColdStreams* cold() const { return cold_.get(); }

  // New streams are refused, and readings too, as there is no room on the disk to keep them.
  void RefuseReadings(bool refuse) { refuses_ = refuse; }
  bool refuses() const { return refuses_; }

  // A stream as the store has it, or, without floats, one before its first reading; even if the budget is
  // spent, as the journal may yet have that others were deleted. Requires that there is no stream `id`.
  StreamKey Restore(absl::string_view id, std::uint32_t model, const StreamHeader& header,
                    std::span<const float> floats);
  // Puts a stream's state in place of the one it has.
  void Replace(StreamKey key, const StreamHeader& header, std::span<const float> floats);

  // Readings that were journalled before, one stream's in their order; `keys` [N] are their streams, of the
  // work's model.
  void Replay(Work& work, std::span<const StreamKey> keys);

  // With KeepWithin: has the store forget what was deleted so far; else that is for the caller of the
  // journal's TakeDeleted.
  absl::Status PutDeleted();

  // Puts the streams that have changed since they were last put, of `slots` slots from `next` on, and moves
  // `next` on. False: there are no more. What is put is of journal position `position`, after Submit. May
  // step some batches, as Run does: what is put has taken all that its readings released.
  bool PutChanged(StreamKey& next, std::uint32_t slots, StateBatch& batch);

  // Deletes the streams, of `slots` slots from `next` on, whose last reading is older than `before_ns` and
  // that took none since they were last looked at so; moves `next` on and adds to `ended`. False: there are
  // no more.
  bool Expire(StreamKey& next, std::uint32_t slots, std::int64_t before_ns, std::size_t& ended);
  // Deletes a stream that is not in memory, if its last reading is still the one of that time. False: it
  // stays.
  bool ExpireCold(absl::string_view id, std::int64_t timestamp_ns);

  ShardMetrics& metrics() { return *metrics_; }
  // From now on counts are added to `metrics`, which has those of all models.
  void CountIn(ShardMetrics& metrics);

  // Nothing waits that Run could do something about.
  bool idle() const;

 private:
  // Puts reading i of the message into its stream's queue or refuses it.
  void AdmitReading(Work& work, std::uint32_t i, std::uint32_t handle);
  void Touch(const Work& work, std::size_t first) const;
  void LoadCold(const Work& work, std::size_t first_handle);
  // Ends the journal's group, and hands the answered requests from `first` on back or keeps them until it is
  // durable.
  void Submit(std::vector<Work*>& done, std::size_t first);
  bool lanes_idle() const;
  void CountStreams(std::uint32_t model);
  void CountAllStreams();
  void CountCreated(std::uint32_t model);
  // The stream of a handle that had none when it was named, created if need be. False: reading i was refused.
  bool BindStream(Work& work, std::uint32_t i, std::uint32_t handle);

  StreamTable table_;
  ShardMetrics* metrics_;
  std::vector<std::unique_ptr<Lane>> lanes_;  // by model; null: removed
  std::vector<Work*> empty_;                  // requests that were answered outside of Run
  AppliedObserver* observer_ = nullptr;
  bool refuses_ = false;

  // What waits for journal groups up to a position to be durable: an answered request, or a call.
  struct Waiting {
    std::uint64_t position;
    Work* work;
    std::function<void()> call;
    Work::Clock::time_point since;
  };
  ShardJournal* journal_ = nullptr;
  std::unique_ptr<ColdStreams> cold_;  // null: all streams are in memory
  bool stays_ = false;
  std::vector<absl::string_view> wanted_;
  std::deque<Waiting> waiting_;  // positions rise
  std::vector<Work*> durable_;   // requests to be handed back by the next Run
};

}  // namespace tidegate
