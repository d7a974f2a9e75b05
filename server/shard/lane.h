#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <memory>
#include <span>
#include <vector>

#include "engine/model/model.h"
#include "engine/stream/stream.h"
#include "server/metrics/metrics.h"
#include "server/shard/applied_observer.h"
#include "server/shard/batch_rows.h"
#include "server/shard/stream_table.h"
#include "server/shard/work.h"

namespace tidegate {

class ShardJournal;

// The readings of one model that wait in a shard, and their way through the network.
// Streams with waiting readings take turns, first come, first served; a batch is the next kBatch of them, one
// step of each: the stream's next reading, or a step over a missing one before it. So readings of one stream
// are answered in order, one per batch, while streams share batches freely. A stream that steps over missing
// readings goes on in every batch until it is through, but such streams take at most half of a batch. With a
// reorder window, a stream's turn may go to a reading that it held: those to be stepped before its next
// reading, or after it; the reading is answered when they are through. Owned by its shard's thread; not
// thread-safe. Allocates nothing once its buffers have grown.
class Lane {
 public:
  // Streams advanced by one call of the network. What they read and write lies in the first caches; with four
  // times as many a reading costs 7 % more, and kernels are as fast from 16 on.
  static constexpr std::size_t kBatch = kMostBatch;

  Lane(std::shared_ptr<const Model> model, std::uint32_t model_index, StreamTable& table,
       ShardMetrics& shard_metrics, ModelMetrics& metrics);

  // Reading i of `work` waits for a turn of its stream. Requires that the stream is bound to this model.
  void Enqueue(std::uint32_t slot, Work& work, std::uint32_t i);

  // The answer of a reading that takes no step: no forecast. reached: the last number that its stream has
  // taken.
  void Refuse(Work& work, std::size_t i, Outcome outcome, Reason reason, std::uint64_t reached = 0);

  bool idle() const {
    return next_turns_.empty() && turn_ == turns_.size() && next_deferred_ == deferred_.size() &&
           bridging_.empty();
  }

  // Takes one batch through the network; work without unanswered readings goes to `done`, and `observer` sees
  // the readings that were applied (null: nobody does). Returns how many streams were in the batch: 0 if none
  // needed the network.
  std::size_t StepBatch(std::vector<Work*>& done, AppliedObserver* observer);

  // The forecast [horizon, Q] of a stream that has taken a step, from its present state.
  void Forecast(std::uint32_t slot, std::span<float> forecast);

  // Refuses all readings of the stream that wait, as they have lost it.
  void Abandon(std::uint32_t slot, std::vector<Work*>& done);

  // The stream's first reading has its answer, but held ones that it released have not been stepped yet.
  bool IsReleasing(std::uint32_t slot) {
    return queue(slot).first != kNone && pending_[queue(slot).first].answered != 0;
  }
  // Steps those ahead of all turns, so that the stream's state is one between two readings; otherwise as
  // StepBatch.
  void Settle(std::uint32_t slot, std::vector<Work*>& done, AppliedObserver* observer);

  // A stream's next reading will be its first, also if it waits already.
  void Reset(std::uint32_t slot);

  // From now on changes of streams are noted in `journal`; null: nowhere.
  void WriteTo(ShardJournal* journal) { journal_ = journal; }

  const Model& model() const { return *model_; }
  ModelMetrics& metrics() { return *metrics_; }
  // From now on counts are added to these.
  void CountIn(ShardMetrics& shard_metrics, ModelMetrics& metrics) {
    shard_metrics_ = &shard_metrics;
    metrics_ = &metrics;
  }

 private:
  static constexpr std::uint32_t kNone = StreamQueue::kNone;

  struct Pending {  // a waiting reading
    Work* work;
    std::uint32_t i : 31;
    std::uint32_t answered : 1;  // its answer is written; held readings that follow it are being stepped
    std::uint32_t next;          // of the same stream, or kNone; of a free entry: the next free one
  };

  void PrefetchTurns(std::size_t first) const;
  bool TakeTurn(std::uint32_t& slot);
  bool TakeDeferred(std::uint32_t& slot);
  void Plan(std::uint32_t slot, std::vector<Work*>& done);
  void AddStep(std::uint32_t row);
  void RunSteps(std::vector<Work*>& done);
  void FinishStep(std::uint32_t row, std::span<float> forecast, std::vector<Work*>& done);
  void DropStep(std::uint32_t row, const Reading& reading, std::vector<Work*>& done);
  void Show(AppliedObserver& observer);
  bool DropBridging(std::uint32_t slot);
  void DropTurns(std::uint32_t slot);
  void CountScores();
  void RunRetries(std::vector<Work*>& done);
  void AnswerFirst(std::uint32_t slot, Outcome outcome, std::span<const float> forecast,
                   std::vector<Work*>& done);
  void EndFirst(std::uint32_t slot, std::vector<Work*>& done);
  void HoldFirst(std::uint32_t slot, const Decision& decision);
  void Pop(std::uint32_t slot, std::vector<Work*>& done);
  void Count(Outcome outcome) { metrics_->readings[static_cast<std::size_t>(outcome)].Add(1); }
  Decision DecideFirst(std::uint32_t slot);
  void Note(std::uint32_t slot, const Reading& reading, Outcome outcome, Reason reason);
  Reading ReadingOf(const BatchRows::Row& row);
  float* held(std::uint32_t slot) { return table_.floats(key(slot)).data() + model_->layout().held; }
  HeldReadings HeldOf(std::uint32_t slot) { return {model_->spec(), held(slot)}; }
  bool reorders() const { return model_->spec().reorder_window > 0; }
  StreamQueue& queue(std::uint32_t slot) { return table_.queue(key(slot)); }
  StreamKey key(std::uint32_t slot) const {  // of whatever stream has the slot
    return {.model = static_cast<std::uint16_t>(model_index_), .generation = 0, .slot = slot};
  }

  std::shared_ptr<const Model> model_;
  std::uint32_t model_index_;
  StreamTable& table_;
  ShardMetrics* shard_metrics_;
  ModelMetrics* metrics_;
  ShardJournal* journal_ = nullptr;

  std::vector<Pending> pending_;
  std::uint32_t free_ = kNone;
  // Slots: each stream with waiting readings is in one of these or in the batch.
  std::vector<std::uint32_t> turns_;
  std::size_t turn_ = 0;                   // the next of turns_
  std::vector<std::uint32_t> next_turns_;  // follow when turns_ are through
  std::vector<std::uint32_t> deferred_;    // step over missing readings when a half of a batch has room
  std::size_t next_deferred_ = 0;          // of deferred_

  // The batch being put together.
  Work::Clock::time_point batch_start_;
  BatchRows rows_;
  std::vector<std::uint32_t> steps_;     // rows
  std::vector<std::uint32_t> bridging_;  // rows that go on with the next batch
  std::vector<std::uint32_t> retries_;   // slots whose last forecast is asked for again
  std::vector<float> inputs_;            // [kBatch, inputs]
  std::vector<float*> states_;
  std::vector<float> outputs_;           // [kBatch, horizon, Q]
  std::vector<ScoreTotals> scores_;      // of this batch, by scored step
  std::vector<AppliedReading> applied_;  // by this batch; filled for an observer only
  Model::Workspace workspace_;
};

}  // namespace tidegate
