#include "server/shard/lane.h"

#include <algorithm>
#include <utility>

#include "engine/tensor/nan.h"
#include "server/shard/shard_journal.h"
#include "server/store/broken.h"

namespace tidegate {
namespace {

constexpr std::size_t kAhead = 16;  // turns whose streams are fetched together

// Brings a cache line into the cache. A load, not a prefetch: with as many at once most of those are dropped.
void Load(const float* line) { static_cast<void>(*static_cast<const volatile float*>(line)); }

double Seconds(Work::Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

Lane::Lane(std::shared_ptr<const Model> model, std::uint32_t model_index, StreamTable& table,
           ShardMetrics& shard_metrics, ModelMetrics& metrics)
    : model_(std::move(model)),
      model_index_(model_index),
      table_(table),
      shard_metrics_(&shard_metrics),
      metrics_(&metrics),
      rows_(*model_, kBatch),
      inputs_(kBatch * model_->spec().inputs()),
      outputs_(kBatch * model_->spec().outputs()),
      scores_(model_->layout().steps.size()) {}

void Lane::Enqueue(std::uint32_t slot, Work& work, std::uint32_t i) {
  std::uint32_t added = free_;
  if (added == kNone) {
    added = static_cast<std::uint32_t>(pending_.size());
    pending_.emplace_back();
  } else {
    free_ = pending_[added].next;
  }
  pending_[added] = {.work = &work, .i = i & 0x7fffffffu, .answered = 0, .next = kNone};

  StreamQueue& waiting = queue(slot);
  if (waiting.first == kNone) {
    waiting.first = added;
    next_turns_.push_back(slot);
  } else {
    pending_[waiting.last].next = added;
  }
  waiting.last = added;
}

void Lane::Refuse(Work& work, std::size_t i, Outcome outcome, Reason reason, std::uint64_t reached) {
  work.outcome[i] = static_cast<int>(outcome);
  work.reason[i] = static_cast<int>(reason);
  work.any_reason |= reason != Reason::kNone;
  std::ranges::fill(work.forecast_row(i), kNaN);
  work.anomaly_score[i] = kNaN;
  work.steps[i] = 0;
  work.quality[i] = 0;
  if (!work.reached.empty()) work.reached[i] = reached;
  --work.left;
  Count(outcome);
}

std::size_t Lane::StepBatch(std::vector<Work*>& done, AppliedObserver* observer) {
  batch_start_ = Work::Clock::now();
  steps_.clear();
  retries_.clear();
  steps_.swap(bridging_);
  for (const std::uint32_t row : steps_) AddStep(row);
  std::uint32_t slot = 0;
  while (steps_.size() < kBatch / 2 && TakeDeferred(slot)) Plan(slot, done);
  while (steps_.size() < kBatch && retries_.size() < kBatch && TakeTurn(slot)) Plan(slot, done);
  if (!steps_.empty()) {
    RunSteps(done);
    if (observer != nullptr) Show(*observer);
  }
  if (!retries_.empty()) RunRetries(done);
  return steps_.size() + retries_.size();
}

// Brings what kAhead turns from `first` on read into the cache: first headers, as they say which row of a
// ring is next.
void Lane::PrefetchTurns(std::size_t first) const {
  const std::size_t end = std::min(first + kAhead, turns_.size());
  for (std::size_t t = first; t < end; ++t) {
    table_.Touch(key(turns_[t]));
    if (journal_ != nullptr) table_.TouchId(key(turns_[t]));
  }
  const StreamLayout& layout = model_->layout();
  for (std::size_t t = first; t < end; ++t) {
    const std::uint32_t steps = table_.header(key(turns_[t])).steps;
    const float* const floats = table_.floats(key(turns_[t])).data();
    for (std::size_t i = 0; i < layout.kept; i += kLineFloats) Load(floats + i);
    if (reorders()) __builtin_prefetch(floats + layout.held);
    for (std::size_t k = 0; k < layout.steps.size(); ++k) {
      const std::size_t row = layout.RingRow(k, steps) * model_->spec().quantiles.size();
      __builtin_prefetch(floats + layout.kept + layout.rings[k] + row, 1);
    }
  }
}

bool Lane::TakeTurn(std::uint32_t& slot) {
  if (turn_ == turns_.size()) {
    turns_.clear();
    turn_ = 0;
    // A stream that is in the batch already comes back after it, so it is not among these.
    std::swap(turns_, next_turns_);
  }
  if (turn_ == turns_.size()) return false;
  // The turns after the next kAhead: memory has the time that these take.
  if (turn_ == 0) PrefetchTurns(0);
  if (turn_ % kAhead == 0) PrefetchTurns(turn_ + kAhead);
  slot = turns_[turn_++];
  return true;
}

bool Lane::TakeDeferred(std::uint32_t& slot) {
  // Those taken are let go when they are half of it: there may be some to come for as long as readings do.
  if (2 * next_deferred_ >= deferred_.size()) {
    deferred_.erase(deferred_.begin(), deferred_.begin() + static_cast<std::ptrdiff_t>(next_deferred_));
    next_deferred_ = 0;
  }
  if (deferred_.empty()) return false;
  slot = deferred_[next_deferred_++];
  return true;
}

// What becomes of the stream's first reading; with a reorder window also what is to be stepped before or
// after it.
Decision Lane::DecideFirst(std::uint32_t slot) {
  const Pending& first = pending_[queue(slot).first];
  const StreamHeader& header = table_.header(key(slot));
  if (first.answered != 0) return DecideRelease(model_->spec(), header, HeldOf(slot));
  if (const auto decided = first.work->Decided(first.i)) return *decided;
  const Reading reading = first.work->reading(first.i);
  if (Broken(Break::kNoDedupe) && reading.sequence != 0 && reading.sequence <= header.sequence) return {};
  if (!reorders()) return Decide(model_->spec(), header, reading, first.work->latest_ns);
  return Decide(model_->spec(), header, reading, first.work->latest_ns, HeldOf(slot));
}

// The stream has changed by a reading of its client's.
void Lane::Note(std::uint32_t slot, const Reading& reading, Outcome outcome, Reason reason) {
  table_.changed(key(slot)) = table_.used(key(slot)) = table_.taken(key(slot)) = true;
  if (journal_ != nullptr)
    journal_->NoteReading(table_.id(key(slot)), model_index_, reading, outcome, reason);
}

// Answers the stream's first readings as long as they need no network, then puts the next one into the batch.
void Lane::Plan(std::uint32_t slot, std::vector<Work*>& done) {
  StreamHeader& header = table_.header(key(slot));
  while (queue(slot).first != kNone) {
    const Pending& first = pending_[queue(slot).first];
    Work& work = *first.work;
    const Decision decision = DecideFirst(slot);
    if (decision.bridges > 0 && steps_.size() >= kBatch / 2) {
      deferred_.push_back(slot);
      return;
    }
    if (!work.started) shard_metrics_->stage(Stage::kQueue).Observe(Seconds(batch_start_ - work.received));
    work.started = true;
    if (decision.outcome == Outcome::kApplied && !decision.hold) {
      const std::uint32_t row = rows_.Take(slot, decision, header, table_.floats(key(slot)));
      rows_[row].work = &work;
      rows_[row].i = first.i;
      if (decision.restart) Restart(*model_, rows_.stream(row), decision);
      steps_.push_back(row);
      return AddStep(row);
    }
    if (decision.again) {
      retries_.push_back(slot);
      return;
    }
    if (first.answered != 0) return EndFirst(slot, done);
    if (decision.hold) {
      HoldFirst(slot, decision);
    } else {
      const Reading reading = work.reading(first.i);
      tidegate::Refuse(header, reading, decision);
      if (decision.refuse_number) Note(slot, reading, decision.outcome, decision.reason);
      Refuse(work, first.i, decision.outcome, decision.reason, header.sequence);
    }
    Pop(slot, done);
  }
}

// The reading whose steps a row takes.
Reading Lane::ReadingOf(const BatchRows::Row& row) {
  if (row.decision.release) return OldestHeld(HeldOf(row.slot));
  return row.work->reading(row.i);
}

// The next step of a row of steps_, which are in the order of the batch.
void Lane::AddStep(std::uint32_t r) {
  const std::size_t width = model_->spec().inputs();
  const std::span<float> inputs(inputs_.data() + states_.size() * width, width);
  BatchRows::Row& row = rows_[r];
  const Reading reading = ReadingOf(row);
  row.bridging = row.bridges > 0;
  row.timestamp_ns = reading.timestamp_ns - row.bridges * model_->spec().interval_ns;
  row.imputed = Prepare(*model_, rows_.stream(r), row.timestamp_ns,
                        row.bridging ? std::span<const float>() : reading.values, inputs, scores_);
  states_.push_back(rows_.kept(r));
}

void Lane::RunSteps(std::vector<Work*>& done) {
  const std::size_t width = model_->spec().outputs();
  const auto gathered = Work::Clock::now();
  model_->Step({inputs_.data(), steps_.size() * model_->spec().inputs()}, states_,
               {outputs_.data(), steps_.size() * width}, workspace_);
  const auto stepped = Work::Clock::now();
  metrics_->step_duration.Observe(Seconds(stepped - gathered));
  metrics_->batch_size.Observe(static_cast<double>(steps_.size()));
  for (std::size_t b = 0; b < steps_.size(); ++b)
    FinishStep(steps_[b], {outputs_.data() + b * width, width}, done);
  states_.clear();
  CountScores();
  shard_metrics_->stage(Stage::kGather).Observe(Seconds(gathered - batch_start_));
  shard_metrics_->stage(Stage::kStep).Observe(Seconds(stepped - gathered));
  shard_metrics_->stage(Stage::kScatter).Observe(Seconds(Work::Clock::now() - stepped));
}

void Lane::FinishStep(std::uint32_t r, std::span<float> forecast, std::vector<Work*>& done) {
  BatchRows::Row& row = rows_[r];
  const std::uint32_t slot = row.slot;
  const Reading reading = ReadingOf(row);
  if (!IsSound(*model_, rows_.stream(r))) return DropStep(r, reading, done);
  Finish(*model_, rows_.stream(r), row.timestamp_ns, forecast);
  if (row.bridging) {
    --row.bridges;
    bridging_.push_back(r);
    return;
  }
  tidegate::Commit(model_->spec(), row.header, reading, row.decision, row.imputed);
  rows_.Commit(r, table_.header(key(slot)), table_.floats(key(slot)));
  if (!row.decision.release) {
    Note(slot, reading, Outcome::kApplied, Reason::kNone);
    return AnswerFirst(slot, Outcome::kApplied, forecast, done);
  }
  table_.changed(key(slot)) = true;  // as the reading that released it would have it again
  RemoveOldestHeld(model_->spec(), held(slot));
  next_turns_.push_back(slot);
}

// Of a row whose state is not finite any more: the stream stays as it is, its reading is refused.
void Lane::DropStep(std::uint32_t r, const Reading& reading, std::vector<Work*>& done) {
  BatchRows::Row& row = rows_[r];
  const bool release = row.decision.release;
  row.decision = {
      .outcome = Outcome::kInvalid, .reason = Reason::kPoisonedState, .refuse_number = reading.sequence != 0};
  rows_.Free(r);
  if (release) {  // it was accepted before: there is nobody to tell
    table_.changed(key(row.slot)) = true;
    RemoveOldestHeld(model_->spec(), held(row.slot));
    next_turns_.push_back(row.slot);
    return;
  }
  const Pending& first = pending_[queue(row.slot).first];
  StreamHeader& header = table_.header(key(row.slot));
  tidegate::Refuse(header, reading, row.decision);
  if (row.decision.refuse_number) Note(row.slot, reading, Outcome::kInvalid, Reason::kPoisonedState);
  Refuse(*first.work, first.i, Outcome::kInvalid, Reason::kPoisonedState, header.sequence);
  Pop(row.slot, done);
  if (queue(row.slot).first != kNone) next_turns_.push_back(row.slot);
}

// The readings that RunSteps has just applied: their rows are free, but nothing has taken them yet.
void Lane::Show(AppliedObserver& observer) {
  const std::size_t width = model_->spec().outputs();
  applied_.clear();
  for (std::size_t b = 0; b < steps_.size(); ++b) {
    const BatchRows::Row& row = rows_[steps_[b]];
    if (row.bridging || row.decision.outcome != Outcome::kApplied) continue;
    const StreamKey stream = key(row.slot);
    applied_.push_back({.id = table_.id(stream),
                        .header = &table_.header(stream),
                        .forecast = {outputs_.data() + b * width, width}});
  }
  if (!applied_.empty()) observer.Applied(*model_, applied_);
}

// The state is still that of the last reading, so decoding it again gives the forecast of the last answer.
void Lane::RunRetries(std::vector<Work*>& done) {
  const std::size_t width = model_->spec().outputs();
  for (const std::uint32_t slot : retries_) states_.push_back(table_.floats(key(slot)).data());
  model_->Decode(states_, {outputs_.data(), retries_.size() * width}, workspace_);
  states_.clear();
  for (std::size_t r = 0; r < retries_.size(); ++r) {
    const std::span<float> forecast(outputs_.data() + r * width, width);
    StreamHeader& header = table_.header(key(retries_[r]));
    Express(*model_, {*model_, header, table_.floats(key(retries_[r]))}, header.timestamp_ns, forecast);
    AnswerFirst(retries_[r], Outcome::kDuplicate, forecast, done);
  }
}

void Lane::CountScores() {
  for (std::size_t k = 0; k < scores_.size(); ++k) {
    ScoreMetrics& sum = metrics_->scores[k];
    sum.scored.Add(static_cast<std::uint64_t>(scores_[k].scored));
    sum.covered.Add(static_cast<std::uint64_t>(scores_[k].covered));
    sum.absolute_error.Add(scores_[k].absolute_error);
    sum.naive_error.Add(scores_[k].naive_error);
    sum.pinball.Add(scores_[k].pinball);
    sum.width.Add(scores_[k].width);
  }
  std::ranges::fill(scores_, ScoreTotals{});
}

void Lane::Forecast(std::uint32_t slot, std::span<float> forecast) {
  float* const state = table_.floats(key(slot)).data();
  StreamHeader& header = table_.header(key(slot));
  model_->Decode({&state, 1}, forecast, workspace_);
  Express(*model_, {*model_, header, table_.floats(key(slot))}, header.timestamp_ns, forecast);
}

// Of a stream in the middle of a reading: as if that reading's turn had not come. True: it was.
bool Lane::DropBridging(std::uint32_t slot) {
  const auto row = std::ranges::find_if(bridging_, [&](std::uint32_t r) { return rows_[r].slot == slot; });
  if (row == bridging_.end()) return false;
  rows_.Free(*row);
  bridging_.erase(row);
  return true;
}

void Lane::Abandon(std::uint32_t slot, std::vector<Work*>& done) {
  if (queue(slot).first == kNone) return;  // it has no turn
  DropBridging(slot);
  while (queue(slot).first != kNone) {
    const Pending& first = pending_[queue(slot).first];
    if (first.answered != 0) {
      EndFirst(slot, done);
      continue;
    }
    Refuse(*first.work, first.i, Outcome::kInvalid, Reason::kStreamDeleted);
    Pop(slot, done);
  }
  DropTurns(slot);  // the slot's next stream takes its own
}

void Lane::DropTurns(std::uint32_t slot) {
  const auto erase_from = [slot](std::vector<std::uint32_t>& slots, std::size_t first) {
    slots.erase(std::remove(slots.begin() + static_cast<std::ptrdiff_t>(first), slots.end(), slot),
                slots.end());
  };
  erase_from(turns_, turn_);
  erase_from(next_turns_, 0);
  erase_from(deferred_, next_deferred_);
}

void Lane::Settle(std::uint32_t slot, std::vector<Work*>& done, AppliedObserver* observer) {
  while (IsReleasing(slot)) {
    // A stream that bridges is in the next batch anyway.
    if (std::ranges::none_of(bridging_, [&](std::uint32_t r) { return rows_[r].slot == slot; })) {
      DropTurns(slot);
      deferred_.insert(deferred_.begin() + static_cast<std::ptrdiff_t>(next_deferred_), slot);
    }
    StepBatch(done, observer);
  }
}

void Lane::Reset(std::uint32_t slot) {
  StreamHeader& header = table_.header(key(slot));
  header = {.timestamp_ns = header.timestamp_ns};  // by which it is forgotten, if nobody feeds it again
  table_.changed(key(slot)) = table_.used(key(slot)) = table_.taken(key(slot)) = true;
  if (DropBridging(slot)) next_turns_.push_back(slot);
}

// Answers the stream's first reading from its header and `forecast`.
void Lane::AnswerFirst(std::uint32_t slot, Outcome outcome, std::span<const float> forecast,
                       std::vector<Work*>& done) {
  Pending& first = pending_[queue(slot).first];
  const StreamHeader& header = table_.header(key(slot));
  Work& work = *first.work;
  work.outcome[first.i] = static_cast<int>(outcome);
  work.reason[first.i] = static_cast<int>(Reason::kNone);
  work.PutForecast(first.i, forecast, model_->spec().quantiles.size());
  work.anomaly_score[first.i] = header.anomaly_score;
  work.steps[first.i] = header.steps;
  work.quality[first.i] = header.quality;
  if (!work.reached.empty()) work.reached[first.i] = header.sequence;
  if (reorders() && outcome == Outcome::kApplied &&
      DecideRelease(model_->spec(), header, HeldOf(slot)).release) {
    first.answered = 1;
    next_turns_.push_back(slot);
    return;
  }
  EndFirst(slot, done);
}

// The stream's first reading has its answer; the stream gets another turn if more wait.
void Lane::EndFirst(std::uint32_t slot, std::vector<Work*>& done) {
  const Pending& first = pending_[queue(slot).first];
  Work& work = *first.work;
  --work.left;
  Count(static_cast<Outcome>(work.outcome[first.i]));
  if ((work.quality[first.i] & quality::kCold) != 0) metrics_->cold_answers.Add(1);
  Pop(slot, done);
  if (queue(slot).first != kNone) next_turns_.push_back(slot);
}

// Answers the stream's first reading, which waits for others, or did so before.
void Lane::HoldFirst(std::uint32_t slot, const Decision& decision) {
  const Pending& first = pending_[queue(slot).first];
  Work& work = *first.work;
  StreamHeader& header = table_.header(key(slot));
  if (decision.outcome == Outcome::kApplied) {
    Hold(model_->spec(), header, held(slot), work.reading(first.i));
    Note(slot, work.reading(first.i), Outcome::kApplied, Reason::kNone);
  }
  Refuse(work, first.i, decision.outcome, Reason::kNone, header.sequence);
  work.steps[first.i] = header.steps;
  work.quality[first.i] = HeldQuality(decision);
}

void Lane::Pop(std::uint32_t slot, std::vector<Work*>& done) {
  StreamQueue& waiting = queue(slot);
  const std::uint32_t popped = waiting.first;
  Pending& first = pending_[popped];
  if (first.work->left == 0) done.push_back(first.work);
  waiting.first = first.next;
  first.next = free_;
  free_ = popped;
}

}  // namespace tidegate
