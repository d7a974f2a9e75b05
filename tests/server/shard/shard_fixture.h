#pragma once

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "engine/stream/replay.h"
#include "server/shard/shard.h"
#include "tests/support/tiny_model.h"

namespace tidegate {

inline constexpr std::int64_t kSecond = 1'000'000'000;
inline constexpr std::int64_t kLatest = 1'000'000 * kSecond;

struct Sent {
  std::string stream;
  std::int64_t timestamp_ns;
  std::vector<float> values;
  std::uint64_t sequence = 0;
  bool accept_gap = false;
};

// What one reading was answered; floats as bits, so that NaN equals NaN and -0 differs from 0.
struct Answer {
  Outcome outcome;
  Reason reason;
  std::vector<std::uint32_t> forecast;
  std::uint32_t anomaly_score, steps, quality;
  std::uint64_t reached;
  bool operator==(const Answer&) const = default;
};

inline std::uint32_t Bits(float v) { return std::isnan(v) ? 0x7fc00000 : std::bit_cast<std::uint32_t>(v); }
inline std::vector<std::uint32_t> Bits(std::span<const float> values) {
  std::vector<std::uint32_t> bits;
  for (const float v : values) bits.push_back(Bits(v));
  return bits;
}

// The second source: one stream, alone, advanced by the functions of the stream contract.
class Alone {
 public:
  explicit Alone(std::shared_ptr<const Model> model) : model_(std::move(model)), stream_(model_) {}

  Answer Push(const Sent& sent) {
    const auto answer =
        stream_.Push({sent.timestamp_ns, sent.values, sent.sequence, sent.accept_gap}, kLatest);
    return {answer.outcome, answer.reason,  Bits(answer.forecast), Bits(answer.anomaly_score),
            answer.steps,   answer.quality, answer.sequence};
  }
  void Reset() { stream_ = ReplayedStream(model_); }

 private:
  std::shared_ptr<const Model> model_;
  ReplayedStream stream_;
};

// A request with room for its answer; what the rpc layer keeps in messages.
class Request {
 public:
  Request(std::uint32_t model_index, const ModelSpec& spec, std::vector<Sent> sent) : sent_(std::move(sent)) {
    for (const Sent& s : sent_) {
      ids_.push_back(&s.stream);
      timestamps_.push_back(s.timestamp_ns);
      values_.insert(values_.end(), s.values.begin(), s.values.end());
      sequences_.push_back(s.sequence);
      work.accept_gap |= s.accept_gap;
    }
    const std::size_t n = sent_.size();
    outcome_.resize(n);
    reason_.resize(n);
    forecast_.resize(n * spec.outputs());
    anomaly_score_.resize(n);
    steps_.resize(n);
    quality_.resize(n);
    reached_.resize(n);
    work.sequence = sequences_;
    work.reached = reached_;
    work.model = model_index;
    work.handles = &handles_;
    work.ids = ids_;
    work.timestamp_ns = timestamps_;
    work.value = values_;
    work.latest_ns = kLatest;
    for (std::size_t q = 0; q < spec.quantiles.size(); ++q) levels_.push_back(static_cast<std::uint8_t>(q));
    work.levels = levels_;
    work.received = Work::Clock::now();
    work.outcome = outcome_;
    work.reason = reason_;
    work.forecast = forecast_;
    work.anomaly_score = anomaly_score_;
    work.steps = steps_;
    work.quality = quality_;
  }
  Request(const Request&) = delete;

  const std::vector<Sent>& sent() const { return sent_; }
  Answer answer(std::size_t i) const {
    return {static_cast<Outcome>(outcome_[i]),
            static_cast<Reason>(reason_[i]),
            Bits(work.forecast_row(i)),
            Bits(anomaly_score_[i]),
            steps_[i],
            quality_[i],
            reached_[i]};
  }
  std::vector<Outcome> outcomes() const {
    std::vector<Outcome> outcomes;
    for (std::size_t i = 0; i < sent_.size(); ++i) outcomes.push_back(answer(i).outcome);
    return outcomes;
  }

  Work work;

 private:
  std::vector<Sent> sent_;
  StreamHandles handles_;
  std::vector<const std::string*> ids_;
  std::vector<std::int64_t> timestamps_;
  std::vector<float> values_;
  std::vector<int> outcome_, reason_;
  std::vector<std::uint8_t> levels_;
  std::vector<float> forecast_, anomaly_score_;
  std::vector<std::uint32_t> steps_, quality_;
  std::vector<std::uint64_t> sequences_, reached_;
};

// A shard with three models: "gru" and "lstm", and "reorders", which holds readings that are early.
class ShardTest : public testing::Test {
 protected:
  static ModelSpec Spec(std::size_t index) {
    ModelSpec spec = index == 1 ? TinySpec(LayerKind::kLstm, 7, 2) : TinySpec(LayerKind::kGru, 5);
    spec.name = std::array{"gru", "lstm", "reorders"}[index];
    if (index == 2) spec.reorder_window = 3;
    if (index !=
        1) {  // what needs the time of a step, bridged ones too, and states that move with the reading
      spec.layers.insert(
          spec.layers.begin(),
          {.kind = LayerKind::kConv1d, .units = 4, .kernel = 3, .stride = 3, .relative = true});
      spec.interleaved = true;
      spec.linear_context = 5;
      spec.cycle = 4;
      spec.bias_period = 6;
    }
    return spec;
  }

  Request& Add(std::vector<Sent> sent, std::uint32_t model = 0) {
    return requests_.emplace_back(model, models_[model]->spec(), std::move(sent));
  }
  // Admits and answers a request.
  Request& Push(std::vector<Sent> sent, std::uint32_t model = 0) {
    Request& request = Add(std::move(sent), model);
    shard_.Admit(request.work);
    RunAll();
    return request;
  }
  void RunAll() {
    while (!shard_.idle()) shard_.Run(done_);
  }

  const std::array<std::shared_ptr<const Model>, 3> models_ = {TinyModel(Spec(0), 3), TinyModel(Spec(1), 4),
                                                               TinyModel(Spec(2), 3)};
  ShardMetrics metrics_{3};
  StreamBudget budget_{500};
  Shard shard_{models_, budget_, metrics_};
  std::deque<Request> requests_;
  std::vector<Work*> done_;
};

// Keeps what it is shown, by stream.
class Watcher final : public AppliedObserver {
 public:
  void Applied(const Model& model, std::span<const AppliedReading> readings) override {
    EXPECT_FALSE(readings.empty());
    for (const AppliedReading& reading : readings) {
      EXPECT_EQ(reading.forecast.size(), model.spec().outputs());
      seen[std::string(reading.id)].push_back({Outcome::kApplied, Reason::kNone, Bits(reading.forecast),
                                               Bits(reading.header->anomaly_score), reading.header->steps,
                                               reading.header->quality, reading.header->sequence});
    }
  }
  std::map<std::string, std::vector<Answer>> seen;
};

}  // namespace tidegate
