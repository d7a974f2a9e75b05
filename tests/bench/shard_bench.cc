// How readings per second grow with shards, without gRPC: each shard has a thread, and serves messages of
// calls of its own. A message names streams of its own shard alone, or of all shards, whose parts then cross
// by mailboxes. Runs of one shard and of more take turns; the ratios are medians over the rounds.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <limits>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/shard/shard_peer.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

constexpr std::size_t kReadings = 256;   // of a message
constexpr std::size_t kMessages = 8;     // in flight, of each shard
constexpr std::size_t kStreams = 2'048;  // of each shard's calls
constexpr int kRounds = 9;
constexpr auto kMeasured = std::chrono::milliseconds(700);

// A message that goes round and round.
struct Turning : Message {
  std::vector<std::uint32_t> handles;
  std::vector<std::int64_t> times;
  std::vector<float> values;
  std::vector<std::uint8_t> level_indices = {0};
  std::vector<int> codes;
  std::vector<float> floats;
  std::vector<std::uint32_t> numbers;

  explicit Turning(const ModelSpec& spec)
      : handles(kReadings),
        times(kReadings),
        values(kReadings, 20),
        codes(2 * kReadings),
        floats(kReadings * (spec.outputs() + 1)),
        numbers(2 * kReadings) {
    handle = handles;
    timestamp_ns = times;
    value = values;
    latest_ns = std::numeric_limits<std::int64_t>::max();
    levels = level_indices;
    outcome = std::span(codes).first(kReadings);
    reason = std::span(codes).last(kReadings);
    forecast = std::span(floats).first(kReadings * spec.outputs());
    anomaly_score = std::span(floats).last(kReadings);
    steps = std::span(numbers).first(kReadings);
    quality = std::span(numbers).last(kReadings);
  }
};

// One shard's thread and its call.
class Node {
 public:
  Node(std::size_t index, const std::vector<std::shared_ptr<const Model>>& models, StreamBudget& budget,
       const std::vector<std::unique_ptr<Mailbox>>& mailboxes, bool mixed)
      : metrics_(1),
        shard_(models, budget, metrics_),
        peer_(index, shard_, mailboxes),
        streams_(mailboxes.size()) {
    for (std::size_t i = 0; ids_.size() < kStreams; ++i) {
      std::string id = absl::StrCat("sensor ", index, " ", i);
      if (mixed || ShardOf(id, mailboxes.size()) == index) ids_.push_back(std::move(id));
    }
    for (const std::string& id : ids_) id_pointers_.push_back(&id);
    for (std::size_t m = 0; m < kMessages; ++m)
      messages_.emplace_back(std::make_unique<Turning>(models[0]->spec()));
  }

  // Until `over`; then until all that was sent, by anybody, is answered.
  void Run(const std::atomic<bool>& over, std::atomic<std::size_t>& in_flight) {
    messages_[0]->ids = id_pointers_;
    for (const auto& message : messages_) Send(*message, in_flight);
    messages_[0]->ids = {};
    while (in_flight > 0) {
      peer_.Send();
      peer_.Receive();
      done_.clear();
      peer_.Run(done_);
      peer_.Send();
      for (Message* message : done_) {
        if (!over) readings += kReadings;
        --in_flight;
        if (!over) Send(static_cast<Turning&>(*message), in_flight);
      }
    }
  }

  std::atomic<std::size_t> readings{0};

 private:
  void Send(Turning& message, std::atomic<std::size_t>& in_flight) {
    for (std::size_t i = 0; i < kReadings; ++i) {
      message.handles[i] = static_cast<std::uint32_t>(next_++ % kStreams);
      message.times[i] = static_cast<std::int64_t>(1 + next_ / kStreams) * 1'000'000'000;
    }
    message.received = Work::Clock::now();
    ++in_flight;
    peer_.Admit(message, streams_);
  }

  ShardMetrics metrics_;
  Shard shard_;
  ShardPeer peer_;
  NamedStreams streams_;
  std::vector<std::string> ids_;
  std::vector<const std::string*> id_pointers_;
  std::vector<std::unique_ptr<Turning>> messages_;
  std::vector<Message*> done_;
  std::size_t next_ = 0;
};

double ReadingsPerSecond(const std::shared_ptr<const Model>& model, std::size_t shards, bool mixed) {
  const std::vector<std::shared_ptr<const Model>> models = {model};
  StreamBudget budget(1 << 20);
  std::vector<std::unique_ptr<Mailbox>> mailboxes;
  for (std::size_t i = 0; i < shards; ++i)
    mailboxes.push_back(std::make_unique<Mailbox>([] {}));  // nobody sleeps
  std::vector<std::unique_ptr<Node>> nodes;
  for (std::size_t i = 0; i < shards; ++i)
    nodes.push_back(std::make_unique<Node>(i, models, budget, mailboxes, mixed));
  std::atomic<bool> over{false};
  std::atomic<std::size_t> in_flight{0};
  std::vector<std::thread> threads;
  threads.reserve(nodes.size());
  for (const auto& node : nodes) threads.emplace_back([&] { node->Run(over, in_flight); });
  const auto served = [&] {
    std::size_t sum = 0;
    for (const auto& node : nodes) sum += node->readings;
    return sum;
  };
  std::this_thread::sleep_for(std::chrono::milliseconds(100));  // streams begin, buffers grow
  const std::size_t before = served();
  const auto begin = std::chrono::steady_clock::now();
  std::this_thread::sleep_for(kMeasured);
  const double readings = static_cast<double>(served() - before);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  over = true;
  for (std::thread& thread : threads) thread.join();
  return readings / seconds.count();
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

void Compare(const char* name, const std::shared_ptr<const Model>& model, std::size_t shards, bool mixed) {
  std::vector<double> one, many, ratios;
  for (int round = 0; round < kRounds; ++round) {
    one.push_back(ReadingsPerSecond(model, 1, mixed));
    many.push_back(ReadingsPerSecond(model, shards, mixed));
    ratios.push_back(many.back() / one.back());
  }
  std::printf("%-8s %-28s %6zu %12.0f %12.0f %8.2f (%.2f - %.2f)\n", name,
              mixed ? "streams of all shards" : "streams of its own shard", shards, Median(one), Median(many),
              Median(ratios), *std::ranges::min_element(ratios), *std::ranges::max_element(ratios));
  std::fflush(stdout);
}

}  // namespace
}  // namespace tidegate

int main() {
  using tidegate::LayerKind;
  const std::size_t cpus = std::max(2u, std::thread::hardware_concurrency());
  std::printf("One feature, horizon 24, messages of %zu readings; readings/s\n", tidegate::kReadings);
  std::printf("%-8s %-28s %6s %12s %12s %8s (least - most of %d rounds)\n", "model", "a message has",
              "shards", "one shard", "so many", "ratio", tidegate::kRounds);
  for (const bool linear : {true, false}) {
    auto spec = tidegate::TinySpec();
    spec.features.resize(1);
    spec.layers = {linear ? tidegate::LayerSpec{.kind = LayerKind::kConv1d, .units = 1, .kernel = 1}
                          : tidegate::LayerSpec{.kind = LayerKind::kGru, .units = 64}};
    spec.horizon = 24;
    spec.quantiles = {0.5f};
    spec.step_deviation.assign(24, 0.5f);
    const auto model = tidegate::TinyModel(spec);
    for (std::size_t shards = 2; shards <= cpus; shards *= 2) {
      tidegate::Compare(linear ? "linear" : "GRU 64", model, shards, /*mixed=*/false);
      tidegate::Compare(linear ? "linear" : "GRU 64", model, shards, /*mixed=*/true);
    }
  }
}
