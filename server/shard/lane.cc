#include "server/shard/lane.h"

#include <algorithm>
#include <utility>

namespace tidegate {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

double Seconds(Work::Clock::duration duration) { return std::chrono::duration<double>(duration).count(); }

}  // namespace

Lane::Lane(std::shared_ptr<const Model> model, std::uint32_t model_index, StreamTable& table,
           Histogram& queue_wait, ModelMetrics& metrics)
    : model_(std::move(model)),
      model_index_(model_index),
      table_(table),
      queue_wait_(queue_wait),
      metrics_(metrics),
      inputs_(kBatch * model_->spec().inputs()),
      outputs_(kBatch * model_->spec().outputs()) {}

void Lane::Enqueue(std::uint32_t slot, Work& work, std::uint32_t i) {
  std::uint32_t added = free_;
  if (added == kNone) {
    added = static_cast<std::uint32_t>(pending_.size());
    pending_.emplace_back();
  } else {
    free_ = pending_[added].next;
  }
  pending_[added] = {.work = &work, .i = i, .next = kNone};

  if (slot >= queues_.size()) queues_.resize(slot + 1);
  Queue& queue = queues_[slot];
  if (queue.first == kNone) {
    queue.first = added;
    next_turns_.push_back(slot);
  } else {
    pending_[queue.last].next = added;
  }
  queue.last = added;
}

void Lane::Refuse(Work& work, std::size_t i, Outcome outcome, Reason reason) {
  work.outcome[i] = static_cast<int>(outcome);
  work.reason[i] = static_cast<int>(reason);
  work.any_reason |= reason != Reason::kNone;
  std::ranges::fill(work.forecast_row(i), kNaN);
  work.anomaly_score[i] = kNaN;
  work.steps[i] = 0;
  work.quality[i] = 0;
  --work.left;
  Count(outcome);
}

std::size_t Lane::StepBatch(std::vector<Work*>& done) {
  batch_start_ = Work::Clock::now();
  steps_.clear();
  retries_.clear();
  std::uint32_t slot = 0;
  while (steps_.size() < kBatch && retries_.size() < kBatch && TakeTurn(slot)) Plan(slot, done);
  if (!steps_.empty()) RunSteps(done);
  if (!retries_.empty()) RunRetries(done);
  return steps_.size() + retries_.size();
}

bool Lane::TakeTurn(std::uint32_t& slot) {
  if (turn_ == turns_.size()) {
    turns_.clear();
    turn_ = 0;
    // A stream that is in the batch already comes back after it, so it is not among these.
    std::swap(turns_, next_turns_);
  }
  if (turn_ == turns_.size()) return false;
  slot = turns_[turn_++];
  return true;
}

// Answers the stream's first readings as long as they need no network, then puts the next one into the batch.
void Lane::Plan(std::uint32_t slot, std::vector<Work*>& done) {
  Queue& queue = queues_[slot];
  while (queue.first != kNone) {
    Work& work = *pending_[queue.first].work;
    const std::uint32_t i = pending_[queue.first].i;
    const Reading reading = work.reading(i);
    if (!queue.decided) {
      if (!work.started) queue_wait_.Observe(Seconds(batch_start_ - work.received));
      work.started = true;
      StreamHeader& header = table_.header(key(slot));
      queue.decision = Decide(model_->spec(), header, reading, work.latest_ns);
      if (queue.decision.outcome == Outcome::kDuplicate) {
        retries_.push_back(slot);
        return;
      }
      if (queue.decision.outcome != Outcome::kApplied) {
        Refuse(work, i, queue.decision.outcome, queue.decision.reason);
        Pop(slot, done);
        continue;
      }
      if (queue.decision.restart) StartStream(*model_, header, table_.floats(key(slot)));
      queue.bridges = queue.decision.bridges;
      queue.decided = true;
    }
    const bool bridge = queue.bridges > 0;
    const std::int64_t time = reading.timestamp_ns - queue.bridges * model_->spec().interval_ns;
    AddStep(slot, bridge, time, bridge ? std::span<const float>() : reading.values);
    return;
  }
}

void Lane::AddStep(std::uint32_t slot, bool bridge, std::int64_t timestamp_ns,
                   std::span<const float> values) {
  const std::size_t width = model_->spec().inputs();
  const std::span<float> inputs(inputs_.data() + steps_.size() * width, width);
  const bool imputed =
      Prepare(*model_, table_.header(key(slot)), table_.floats(key(slot)), timestamp_ns, values, inputs);
  steps_.push_back({.slot = slot, .bridge = bridge, .imputed = imputed, .timestamp_ns = timestamp_ns});
}

void Lane::RunSteps(std::vector<Work*>& done) {
  const std::size_t width = model_->spec().outputs();
  states_.clear();
  for (const Row& row : steps_) states_.push_back(table_.floats(key(row.slot)).data());
  const auto start = Work::Clock::now();
  model_->Step({inputs_.data(), steps_.size() * model_->spec().inputs()}, states_,
               {outputs_.data(), steps_.size() * width}, workspace_);
  metrics_.step_duration.Observe(Seconds(Work::Clock::now() - start));
  metrics_.batch_size.Observe(static_cast<double>(steps_.size()));

  for (std::size_t r = 0; r < steps_.size(); ++r) {
    const Row& row = steps_[r];
    Queue& queue = queues_[row.slot];
    const std::span<float> forecast(outputs_.data() + r * width, width);
    Finish(*model_, table_.floats(key(row.slot)), row.timestamp_ns, forecast);
    if (row.bridge) {
      --queue.bridges;
      next_turns_.push_back(row.slot);
      continue;
    }
    const Pending& first = pending_[queue.first];
    Commit(model_->spec(), table_.header(key(row.slot)), first.work->reading(first.i), queue.decision,
           row.imputed);
    AnswerFirst(row.slot, Outcome::kApplied, forecast, done);
  }
}

// The state is still that of the last reading, so decoding it again gives the forecast of the last answer.
void Lane::RunRetries(std::vector<Work*>& done) {
  const std::size_t width = model_->spec().outputs();
  states_.clear();
  for (const std::uint32_t slot : retries_) states_.push_back(table_.floats(key(slot)).data());
  model_->Decode(states_, {outputs_.data(), retries_.size() * width}, workspace_);
  for (std::size_t r = 0; r < retries_.size(); ++r) {
    const std::span<float> forecast(outputs_.data() + r * width, width);
    Finish(*model_, table_.floats(key(retries_[r])), table_.header(key(retries_[r])).timestamp_ns, forecast);
    AnswerFirst(retries_[r], Outcome::kDuplicate, forecast, done);
  }
}

void Lane::Forecast(std::uint32_t slot, std::span<float> forecast) {
  float* const state = table_.floats(key(slot)).data();
  model_->Decode({&state, 1}, forecast, workspace_);
  Finish(*model_, table_.floats(key(slot)), table_.header(key(slot)).timestamp_ns, forecast);
}

void Lane::Abandon(std::uint32_t slot, std::vector<Work*>& done) {
  if (slot >= queues_.size()) return;  // nothing has ever waited
  while (queues_[slot].first != kNone) {
    const Pending& first = pending_[queues_[slot].first];
    Refuse(*first.work, first.i, Outcome::kInvalid, Reason::kStreamDeleted);
    Pop(slot, done);
  }
  queues_[slot].bridges = 0;
  // Its turns too: the slot's next stream takes its own.
  turns_.erase(std::remove(turns_.begin() + static_cast<std::ptrdiff_t>(turn_), turns_.end(), slot),
               turns_.end());
  std::erase(next_turns_, slot);
}

void Lane::Reset(std::uint32_t slot) {
  table_.header(key(slot)) = {};
  if (slot >= queues_.size()) return;  // nothing has ever waited
  queues_[slot].decided = false;
  queues_[slot].bridges = 0;
}

// Answers the stream's first reading from its header and `forecast`; the stream gets another turn if more
// wait.
void Lane::AnswerFirst(std::uint32_t slot, Outcome outcome, std::span<const float> forecast,
                       std::vector<Work*>& done) {
  const Pending& first = pending_[queues_[slot].first];
  const StreamHeader& header = table_.header(key(slot));
  Work& work = *first.work;
  work.outcome[first.i] = static_cast<int>(outcome);
  work.reason[first.i] = static_cast<int>(Reason::kNone);
  work.PutForecast(first.i, forecast, model_->spec().quantiles.size());
  work.anomaly_score[first.i] = header.anomaly_score;
  work.steps[first.i] = header.steps;
  work.quality[first.i] = header.quality;
  --work.left;
  Count(outcome);
  Pop(slot, done);
  if (queues_[slot].first != kNone) next_turns_.push_back(slot);
}

void Lane::Pop(std::uint32_t slot, std::vector<Work*>& done) {
  Queue& queue = queues_[slot];
  const std::uint32_t popped = queue.first;
  Pending& first = pending_[popped];
  if (first.work->left == 0) done.push_back(first.work);
  queue.first = first.next;
  queue.decided = false;
  first.next = free_;
  free_ = popped;
}

}  // namespace tidegate
