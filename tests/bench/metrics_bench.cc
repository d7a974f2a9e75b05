// What the metrics cost: the CPU time of a shard that admits and answers readings, and beside it that of
// exactly the updates of metrics and reads of clocks that they cause, counted from what the shard counted and
// done again in a loop. Updates of the rpc layer (receive, send, requests, waiting readings) are among them,
// its work is not, so the server's share is below the one printed. 20 pairs, taken in turn:
//   taskset -c 1 metrics_bench
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>
#include <utility>
#include <vector>

#include "server/metrics/metrics.h"
#include "server/shard/shard.h"
#include "tests/support/shard_message.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

constexpr int kPairs = 20;
constexpr std::size_t kPairReadings = 1 << 16;

struct Updates {
  std::size_t messages = 0, batches = 0, readings = 0, cold = 0;
};

std::size_t Count(const Histogram& histogram) {
  std::size_t count = 0;
  for (std::size_t i = 0; i <= histogram.bounds().size(); ++i) count += histogram.count(i);
  return count;
}

// Does updates again, into metrics of its own.
class Repeater {
 public:
  void Repeat(const Updates& updates) {
    for (std::size_t i = 0; i < updates.messages; ++i) Message();
    for (std::size_t i = 0; i < updates.batches; ++i) Batch();
    for (std::size_t i = 0; i < updates.readings; ++i) metrics_.models[0].readings[1].Add(1);
    for (std::size_t i = 0; i < updates.cold; ++i) metrics_.models[0].cold_answers.Add(1);
  }

 private:
  // A duration between two reads of the clock, and some more, so that all buckets are hit.
  double SecondsSince(Work::Clock::time_point& last) {
    const auto now = Work::Clock::now();
    const double seconds = std::chrono::duration<double>(now - std::exchange(last, now)).count();
    return seconds + 1e-6 * static_cast<double>(++turn_ * 37 % 256);
  }
  void Message() {
    auto last = Work::Clock::now();
    metrics_.waiting_readings.Set(1);
    const bool timed = messages_++ % kSampled == 0;
    if (timed) metrics_.stage(Stage::kReceive).Observe(SecondsSince(last), kSampled);
    metrics_.stage(Stage::kQueue).Observe(std::chrono::duration<double>(last - begin_).count());
    metrics_.waiting_readings.Set(0);
    metrics_.request_duration(Method::kStream).Observe(SecondsSince(last));
    metrics_.request(Method::kStream, 0).Add(1);
    if (timed) metrics_.stage(Stage::kSend).Observe(SecondsSince(last), kSampled);
  }
  void Batch() {
    auto last = Work::Clock::now();
    metrics_.stage(Stage::kGather).Observe(SecondsSince(last));
    const double step = SecondsSince(last);
    metrics_.stage(Stage::kStep).Observe(step);
    metrics_.models[0].step_duration.Observe(step);
    metrics_.models[0].batch_size.Observe(static_cast<double>(turn_ % 256));
    for (ScoreMetrics& score : metrics_.models[0].scores) {
      score.scored.Add(1);
      score.covered.Add(1);
      for (Sum* sum : {&score.absolute_error, &score.naive_error, &score.pinball, &score.width}) sum->Add(1);
    }
    metrics_.stage(Stage::kScatter).Observe(SecondsSince(last));
  }

  ShardMetrics metrics_{1};
  Work::Clock::time_point begin_ = Work::Clock::now();
  std::size_t turn_ = 0;
  std::uint64_t messages_ = 0;
};

void Compare(const char* name, const std::shared_ptr<const Model>& model, std::size_t readings,
             std::size_t messages) {
  const std::vector<std::shared_ptr<const Model>> models = {model};
  ShardMetrics metrics(1);
  StreamBudget budget(1 << 20);
  Shard shard(models, budget, metrics);
  std::vector<std::unique_ptr<ShardMessage>> waiting;
  for (std::size_t i = 0; i < messages; ++i)
    waiting.push_back(std::make_unique<ShardMessage>(readings, model->spec(), absl::StrCat("stream ", i)));
  std::vector<Work*> done;
  std::int64_t second = 0;
  Updates updates;
  const auto serve = [&] {
    for (std::size_t n = 0; n < kPairReadings; n += readings * messages) {
      ++second;
      for (const auto& message : waiting) message->Admit(second, shard);
      done.clear();
      while (!shard.idle()) shard.Run(done);
    }
  };
  const auto counted = [&]() -> Updates {
    const ModelMetrics& of = metrics.models[0];
    return {.messages = Count(metrics.stage(Stage::kQueue)),
            .batches = Count(of.batch_size),
            .readings = of.readings[1].value(),
            .cold = of.cold_answers.value()};
  };
  ThreadTime cpu;
  cpu.Begin();
  const auto seconds = [&](auto work) {
    const double begin = cpu.seconds();
    work();
    return cpu.seconds() - begin;
  };
  serve();  // streams begin, buffers grow
  Repeater repeater;
  std::vector<double> serving, repeating, shares;
  for (int pair = 0; pair < kPairs; ++pair) {
    const Updates before = counted();
    serving.push_back(seconds(serve));
    updates = counted();
    updates.messages -= before.messages;
    updates.batches -= before.batches;
    updates.readings -= before.readings;
    updates.cold -= before.cold;
    repeating.push_back(seconds([&] { repeater.Repeat(updates); }));
    shares.push_back(repeating.back() / serving.back());
  }
  cpu.End();
  for (auto* values : {&serving, &repeating, &shares}) std::ranges::sort(*values);
  const double to_ns = 1e9 / static_cast<double>(updates.readings);
  std::printf("%-7s %8zu %8zu %9.1f %11.1f %9.2f %8.2f %% (%.2f - %.2f)\n", name, readings, messages,
              static_cast<double>(updates.readings) / static_cast<double>(updates.batches),
              serving[kPairs / 2] * to_ns, repeating[kPairs / 2] * to_ns, 100 * shares[kPairs / 2],
              100 * shares.front(), 100 * shares.back());
}

}  // namespace
}  // namespace tidegate

int main() {
  using tidegate::LayerKind;
  std::printf(
      "model   readings messages     batch  ns/reading   metrics    share (least - most of 20 pairs)\n");
  for (const std::size_t units : {16, 64}) {
    auto spec = tidegate::TinySpec(LayerKind::kGru, units);
    spec.horizon = 24;
    spec.step_deviation.assign(24, 0.5f);
    const auto model = tidegate::TinyModel(spec);
    const char* const name = units == 16 ? "gru 16" : "gru 64";
    tidegate::Compare(name, model, 1, 1);
    tidegate::Compare(name, model, 1, 256);
    tidegate::Compare(name, model, 16, 16);
    tidegate::Compare(name, model, 64, 1);
    tidegate::Compare(name, model, 256, 1);
  }
}
