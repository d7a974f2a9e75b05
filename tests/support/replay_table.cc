#include "tests/support/replay_table.h"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

namespace tidegate {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

}  // namespace

ReplayTable::ReplayTable(std::shared_ptr<const Model> model, std::size_t streams)
    : model_(std::move(model)),
      width_(StreamFloats(*model_)),
      headers_(streams),
      floats_(streams * width_),
      last_batch_(streams) {}

const ReplayTable::Answers& ReplayTable::Push(std::span<const Sent> sent, std::int64_t latest_ns) {
  Clear(sent.size());
  waiting_.resize(sent.size());
  std::iota(waiting_.begin(), waiting_.end(), 0);
  while (!waiting_.empty()) {
    ++batch_;
    rows_.clear();
    postponed_.clear();
    for (const std::uint32_t i : waiting_) {
      if (last_batch_[sent[i].stream] == batch_) {
        postponed_.push_back(i);
      } else {
        Plan(i, sent[i], latest_ns);
      }
    }
    StepRows(sent);
    waiting_.swap(postponed_);
  }
  return answers_;
}

// As if all had been refused.
void ReplayTable::Clear(std::size_t readings) {
  answers_.outcome.assign(readings, Outcome{});
  answers_.reason.assign(readings, Reason::kNone);
  answers_.forecast.assign(readings * model_->spec().outputs(), kNaN);
  answers_.anomaly_score.assign(readings, kNaN);
  answers_.steps.assign(readings, 0);
  answers_.quality.assign(readings, 0);
}

// Answers a reading that needs no step, else puts it into the batch.
void ReplayTable::Plan(std::uint32_t i, const Sent& sent, std::int64_t latest_ns) {
  StreamHeader& header = headers_[sent.stream];
  const Decision decision = Decide(model_->spec(), header, sent.reading, latest_ns);
  if (decision.again) {
    const std::size_t outputs = model_->spec().outputs();
    const std::span<float> forecast(&answers_.forecast[i * outputs], outputs);
    float* const state = Floats(sent.stream).data();
    model_->Decode({&state, 1}, forecast, workspace_);
    Express(*model_, {*model_, header, Floats(sent.stream)}, header.timestamp_ns, forecast);
    return AnswerFrom(header, i, Outcome::kDuplicate);
  }
  if (decision.outcome != Outcome::kApplied) return RefuseReading(i, sent, decision);
  last_batch_[sent.stream] = batch_;
  const std::size_t row = rows_.size();
  rows_.push_back({.i = i,
                   .decision = decision,
                   .header = header,
                   .bridges = decision.bridges,
                   .imputed = false,
                   .sound = true});
  if (copies_.size() < rows_.size() * width_) copies_.resize(2 * rows_.size() * width_);
  std::ranges::copy(Floats(sent.stream), &copies_[row * width_]);
  if (decision.restart) Restart(*model_, Copy(row), decision);
}

// One step of every row at a time; those that bridge go on for longer.
void ReplayTable::StepRows(std::span<const Sent> sent) {
  const ModelSpec& spec = model_->spec();
  inputs_.resize(rows_.size() * spec.inputs());
  outputs_.resize(rows_.size() * spec.outputs());
  active_.resize(rows_.size());
  std::iota(active_.begin(), active_.end(), 0);
  while (!active_.empty()) {
    states_.clear();
    for (std::size_t a = 0; a < active_.size(); ++a) {
      Row& row = rows_[active_[a]];
      const Reading& reading = sent[row.i].reading;
      const std::span<const float> values = row.bridges > 0 ? std::span<const float>() : reading.values;
      row.imputed = Prepare(*model_, Copy(active_[a]), reading.timestamp_ns - row.bridges * spec.interval_ns,
                            values, {&inputs_[a * spec.inputs()], spec.inputs()});
      states_.push_back(Copy(active_[a]).kept);
    }
    model_->Step({inputs_.data(), active_.size() * spec.inputs()}, states_,
                 {outputs_.data(), active_.size() * spec.outputs()}, workspace_);
    next_active_.clear();
    for (std::size_t a = 0; a < active_.size(); ++a) {
      Row& row = rows_[active_[a]];
      const Reading& reading = sent[row.i].reading;
      const std::span<float> forecast(&outputs_[a * spec.outputs()], spec.outputs());
      row.sound = IsSound(*model_, Copy(active_[a]));
      if (row.sound) {
        Finish(*model_, Copy(active_[a]), reading.timestamp_ns - row.bridges * spec.interval_ns, forecast);
        if (row.bridges > 0) {
          --row.bridges;
          next_active_.push_back(active_[a]);
          continue;
        }
        std::ranges::copy(forecast, &answers_.forecast[row.i * spec.outputs()]);
      }
      FinishRow(active_[a], sent[row.i]);
    }
    active_.swap(next_active_);
  }
}

void ReplayTable::FinishRow(std::size_t r, const Sent& sent) {
  Row& row = rows_[r];
  if (!row.sound) {
    return RefuseReading(row.i, sent,
                         {.outcome = Outcome::kInvalid,
                          .reason = Reason::kPoisonedState,
                          .refuse_number = sent.reading.sequence != 0});
  }
  Commit(model_->spec(), row.header, sent.reading, row.decision, row.imputed);
  headers_[sent.stream] = row.header;
  std::copy_n(&copies_[r * width_], width_, Floats(sent.stream).data());
  AnswerFrom(row.header, row.i, Outcome::kApplied);
}

void ReplayTable::RefuseReading(std::uint32_t i, const Sent& sent, const Decision& decision) {
  Refuse(headers_[sent.stream], sent.reading, decision);
  answers_.outcome[i] = decision.outcome;
  answers_.reason[i] = decision.reason;
}

void ReplayTable::AnswerFrom(const StreamHeader& header, std::uint32_t i, Outcome outcome) {
  answers_.outcome[i] = outcome;
  answers_.anomaly_score[i] = header.anomaly_score;
  answers_.steps[i] = header.steps;
  answers_.quality[i] = header.quality;
}

}  // namespace tidegate
