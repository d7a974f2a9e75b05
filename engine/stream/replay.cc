#include "engine/stream/replay.h"

#include <limits>
#include <utility>

namespace tidegate {
namespace {

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

}  // namespace

ReplayedStream::ReplayedStream(std::shared_ptr<const Model> model)
    : model_(std::move(model)), floats_(StreamFloats(*model_)), inputs_(model_->spec().inputs()) {}

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

ReplayedStream::Answer ReplayedStream::Push(const Reading& reading, std::int64_t latest_ns) {
  std::vector<float> forecast(model_->spec().outputs(), kNaN);
  Decision decision = Decide(model_->spec(), header_, reading, latest_ns);
  if (decision.again) {
    float* const state = floats_.data();
    model_->Decode({&state, 1}, forecast, workspace_);
    Express(*model_, {*model_, header_, floats_}, header_.timestamp_ns, forecast);
    return AnswerOf(Outcome::kDuplicate, std::move(forecast));
  }
  if (decision.outcome == Outcome::kApplied) {
    StreamHeader header = header_;
    std::vector<float> floats = floats_;
    const StreamRef stream(*model_, header, floats);
    if (decision.restart) Restart(*model_, stream, decision);
    bool sound = true;
    for (std::uint32_t left = decision.bridges; sound && left > 0; --left) {
      Step(stream, reading.timestamp_ns - left * model_->spec().interval_ns, {}, forecast);
      sound = IsSound(*model_, stream);
    }
    const bool imputed = sound && Step(stream, reading.timestamp_ns, reading.values, forecast);
    if (sound && IsSound(*model_, stream)) {
      Commit(model_->spec(), header, reading, decision, imputed);
      header_ = header;
      floats_ = std::move(floats);
      return AnswerOf(Outcome::kApplied, std::move(forecast));
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
