#include "engine/stream/replay.h"

#include <utility>

#include "engine/tensor/nan.h"

namespace tidegate {

ReplayedStream::ReplayedStream(std::shared_ptr<const Model> model)
    : model_(std::move(model)), floats_(StreamFloats(*model_)), inputs_(model_->spec().inputs()) {}

ReplayedStream::ReplayedStream(std::shared_ptr<const Model> model, const StreamHeader& header,
                               std::vector<float> floats)
    : model_(std::move(model)),
      header_(header),
      floats_(std::move(floats)),
      inputs_(model_->spec().inputs()) {}

bool ReplayedStream::Step(StreamRef stream, std::int64_t timestamp_ns, std::span<const float> values,
                          std::vector<float>& forecast) {
  const bool imputed = Prepare(*model_, stream, timestamp_ns, values, inputs_);
  float* const state = stream.kept;
  model_->Step(inputs_, {&state, 1}, forecast, workspace_);
  if (IsSound(*model_, stream)) Finish(*model_, stream, timestamp_ns, forecast);
  return imputed;
}

ReplayedStream::Answer ReplayedStream::AnswerOf(Outcome outcome, std::vector<float> forecast) const {
  return {.outcome = outcome,
          .reason = Reason::kNone,
          .forecast = std::move(forecast),
          .anomaly_score = header_.anomaly_score,
          .steps = header_.steps,
          .quality = header_.quality,
          .sequence = header_.sequence};
}

bool ReplayedStream::Take(const Reading& reading, const Decision& decision, std::vector<float>& forecast) {
  StreamHeader header = header_;
  std::vector<float> floats = floats_;
  const StreamRef stream(*model_, header, floats);
  if (decision.restart) Restart(*model_, stream, decision);
  for (std::uint32_t left = decision.bridges; left > 0; --left) {
    Step(stream, reading.timestamp_ns - left * model_->spec().interval_ns, {}, forecast);
    if (!IsSound(*model_, stream)) return false;
  }
  const bool imputed = Step(stream, reading.timestamp_ns, reading.values, forecast);
  if (!IsSound(*model_, stream)) return false;
  Commit(model_->spec(), header, reading, decision, imputed);
  header_ = header;
  floats_ = std::move(floats);
  return true;
}

// Steps the oldest held reading.
void ReplayedStream::Release(const Decision& decision) {
  std::vector<float> forecast(model_->spec().outputs());
  Take(OldestHeld(held()), decision, forecast);
  RemoveOldestHeld(model_->spec(), floats_.data() + model_->layout().held);
}

ReplayedStream::Answer ReplayedStream::Push(const Reading& reading, std::int64_t latest_ns) {
  const ModelSpec& spec = model_->spec();
  std::vector<float> forecast(spec.outputs(), kNaN);
  Decision decision = Decide(spec, header_, reading, latest_ns, held());
  for (; decision.release; decision = Decide(spec, header_, reading, latest_ns, held())) Release(decision);
  if (decision.again) {
    float* const state = floats_.data();
    model_->Decode({&state, 1}, forecast, workspace_);
    Express(*model_, {*model_, header_, floats_}, header_.timestamp_ns, forecast);
    return AnswerOf(Outcome::kDuplicate, std::move(forecast));
  }
  if (decision.hold) {
    if (decision.outcome == Outcome::kApplied)
      Hold(spec, header_, floats_.data() + model_->layout().held, reading);
    Answer answer = AnswerOf(decision.outcome, std::move(forecast));
    answer.anomaly_score = kNaN;
    answer.quality = HeldQuality(decision);
    return answer;
  }
  if (decision.outcome == Outcome::kApplied) {
    if (Take(reading, decision, forecast)) {
      Answer answer = AnswerOf(Outcome::kApplied, std::move(forecast));
      while ((decision = DecideRelease(spec, header_, held())).release) Release(decision);
      return answer;
    }
    decision = {.outcome = Outcome::kInvalid,
                .reason = Reason::kPoisonedState,
                .refuse_number = reading.sequence != 0};
    forecast.assign(forecast.size(), kNaN);
  }
  Refuse(header_, reading, decision);
  return {.outcome = decision.outcome,
          .reason = decision.reason,
          .forecast = std::move(forecast),
          .anomaly_score = kNaN,
          .sequence = header_.sequence};
}

}  // namespace tidegate
