// Several shards with threads of their own, without gRPC.
#include "server/shard/shard_peer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <condition_variable>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/stream/replay.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kLatest = 1'000'000 * kSecond;
constexpr std::size_t kStreams = 40;

// The hash has another seed in every process, so the counts are binomial: six standard deviations are passed
// once in some ten million runs.
TEST(ShardOfTest, SpreadsStreamsEvenly) {
  constexpr int kIds = 8000;
  for (const std::size_t shards : {1u, 2u, 3u, 8u}) {
    std::vector<int> streams(shards);
    for (int i = 0; i < kIds; ++i) ++streams[ShardOf(absl::StrCat("sensor ", i), shards)];
    const double share = 1.0 / static_cast<double>(shards);
    const double deviation = std::sqrt(kIds * share * (1 - share));
    EXPECT_THAT(streams, testing::Each(testing::AllOf(testing::Ge(kIds * share - 6 * deviation),
                                                      testing::Le(kIds * share + 6 * deviation))))
        << shards;
  }
}

// A message of readings of streams that its call has named, with room for its answer.
struct SentMessage : Message {
  SentMessage(const ModelSpec& spec, std::vector<std::string> new_ids, std::vector<std::uint32_t> of,
              int second)
      : texts(std::move(new_ids)), handles_of(std::move(of)) {
    const std::size_t n = handles_of.size();
    for (const std::string& text : texts) pointers.push_back(&text);
    for (std::size_t i = 0; i < n; ++i) {
      times.push_back(second * kSecond);
      values.push_back(static_cast<float>(20 + (handles_of[i] + static_cast<std::uint32_t>(second)) % 7));
      values.push_back(static_cast<float>(50 + second % 5));
    }
    codes.resize(2 * n);
    floats.resize(n * (spec.outputs() + 1));
    numbers.resize(2 * n);
    for (std::size_t q = 0; q < spec.quantiles.size(); ++q)
      level_indices.push_back(static_cast<std::uint8_t>(q));
    ids = pointers;
    handle = handles_of;
    timestamp_ns = times;
    value = values;
    latest_ns = kLatest;
    levels = level_indices;
    received = Clock::now();
    outcome = std::span(codes).first(n);
    reason = std::span(codes).last(n);
    forecast = std::span(floats).first(n * spec.outputs());
    anomaly_score = std::span(floats).last(n);
    steps = std::span(numbers).first(n);
    quality = std::span(numbers).last(n);
  }
  SentMessage(const SentMessage&) = delete;

  std::vector<std::string> texts;
  std::vector<const std::string*> pointers;
  std::vector<std::uint32_t> handles_of;
  std::vector<std::int64_t> times;
  std::vector<float> values;
  std::vector<std::uint8_t> level_indices;
  std::vector<int> codes;
  std::vector<float> floats;
  std::vector<std::uint32_t> numbers;
};

// A thread that serves its shard, and sends messages of a call of its own, one after the other.
class Node {
 public:
  Node(std::size_t index, const std::vector<std::shared_ptr<const Model>>& models, StreamBudget& budget,
       const std::vector<std::unique_ptr<Mailbox>>& mailboxes)
      : index_(index),
        spec_(models[0]->spec()),
        metrics_(1),
        shard_(models, budget, metrics_),
        peer_(index, shard_, mailboxes),
        streams_(mailboxes.size()) {}

  void WakeUp() {
    const std::lock_guard lock(mutex_);
    awake_ = true;
    condition_.notify_one();
  }

  // Sends `count` messages, some at a time, then serves until all nodes are through.
  void Run(int count, std::atomic<int>& nodes_left, const std::vector<std::unique_ptr<Node>>& nodes) {
    std::mt19937 random(static_cast<unsigned>(index_) + 1);
    std::vector<Message*> done;
    bool told = false;
    while (nodes_left > 0) {
      if (peer_.idle() && (static_cast<int>(sent.size()) == count || sent.size() >= answered_ + 4) &&
          peer_.MaySleep()) {
        std::unique_lock lock(mutex_);
        condition_.wait(lock, [this] { return awake_; });
        awake_ = false;
      }
      while (static_cast<int>(sent.size()) < count && sent.size() < answered_ + 4) Send(random);
      peer_.Send();
      peer_.Receive();
      done.clear();
      peer_.Run(done);
      peer_.Send();
      answered_ += done.size();
      if (!told && answered_ == static_cast<std::size_t>(count)) {
        told = true;
        if (--nodes_left == 0) {
          for (const auto& node : nodes) node->WakeUp();
        }
      }
    }
  }

  std::deque<std::unique_ptr<SentMessage>> sent;

 private:
  void Send(std::mt19937& random) {
    const auto second = static_cast<int>(sent.size()) + 1;
    std::vector<std::string> ids;
    std::vector<std::uint32_t> of;
    if (second == 1) {
      for (std::size_t i = 0; i < kStreams; ++i) ids.push_back(absl::StrCat("node ", index_, " stream ", i));
    }
    for (std::uint32_t i = 0; i < kStreams; ++i) {
      if (second == 1 || random() % 3 != 0) of.push_back(i);
    }
    of.push_back(7777);  // nobody has named it
    sent.push_back(std::make_unique<SentMessage>(spec_, std::move(ids), std::move(of), second));
    peer_.Admit(*sent.back(), streams_);
  }

  const std::size_t index_;
  const ModelSpec spec_;
  ShardMetrics metrics_;
  Shard shard_;
  ShardPeer peer_;
  NamedStreams streams_;
  std::size_t answered_ = 0;
  std::mutex mutex_;
  std::condition_variable condition_;
  bool awake_ = false;
};

class ShardPeerTest : public testing::TestWithParam<std::size_t> {};

TEST_P(ShardPeerTest, EveryReadingIsAnsweredAsIfItsStreamWereAlone) {
  constexpr int kMessages = 60;
  const std::vector<std::shared_ptr<const Model>> models = {TinyModel()};
  StreamBudget budget(kStreams * GetParam());
  std::vector<std::unique_ptr<Mailbox>> mailboxes;
  std::vector<std::unique_ptr<Node>> nodes;
  for (std::size_t i = 0; i < GetParam(); ++i)
    mailboxes.push_back(std::make_unique<Mailbox>([&nodes, i] { nodes[i]->WakeUp(); }));
  for (std::size_t i = 0; i < GetParam(); ++i)
    nodes.push_back(std::make_unique<Node>(i, models, budget, mailboxes));
  std::atomic<int> left = static_cast<int>(GetParam());
  std::vector<std::thread> threads;
  threads.reserve(nodes.size());
  for (const auto& node : nodes) threads.emplace_back([&] { node->Run(kMessages, left, nodes); });
  for (std::thread& thread : threads) thread.join();

  for (const auto& node : nodes) {
    std::map<std::uint32_t, ReplayedStream> alone;
    for (const auto& message : node->sent) {
      for (std::size_t i = 0; i < message->size(); ++i) {
        const std::uint32_t stream = message->handles_of[i];
        if (stream == 7777) {
          EXPECT_EQ(message->outcome[i], static_cast<int>(Outcome::kInvalid));
          EXPECT_EQ(message->reason[i], static_cast<int>(Reason::kUnknownHandle));
          EXPECT_TRUE(message->any_reason);
          continue;
        }
        const auto expected =
            alone.try_emplace(stream, models[0])
                .first->second.Push({message->times[i], std::span(message->values).subspan(2 * i, 2)},
                                    kLatest);
        ASSERT_EQ(message->outcome[i], static_cast<int>(expected.outcome));
        ASSERT_EQ(message->steps[i], expected.steps);
        for (std::size_t k = 0; k < expected.forecast.size(); ++k) {
          ASSERT_EQ(std::bit_cast<std::uint32_t>(message->forecast[i * expected.forecast.size() + k]),
                    std::bit_cast<std::uint32_t>(expected.forecast[k]));
        }
      }
    }
  }
  EXPECT_FALSE(budget.Take()) << "each stream was taken from the budget once";
}

TEST(ShardPeerReceiveTest, LongTasksLeaveTheOthersForTheNextCall) {
  const std::vector<std::shared_ptr<const Model>> models = {TinyModel()};
  StreamBudget budget(1);
  ShardMetrics metrics(1);
  Shard shard(models, budget, metrics);
  std::vector<std::unique_ptr<Mailbox>> mailboxes;
  mailboxes.push_back(std::make_unique<Mailbox>([] {}));
  ShardPeer peer(0, shard, mailboxes);
  std::vector<int> called;
  mailboxes[0]->Post({.task = [&] { called.push_back(0); }});
  mailboxes[0]->Post({.task = [&] {
    const auto begin = Work::Clock::now();
    while (Work::Clock::now() - begin < std::chrono::milliseconds(20)) {
    }
    called.push_back(1);
    mailboxes[0]->Post({.task = [&] { called.push_back(3); }});
  }});
  mailboxes[0]->Post({.task = [&] { called.push_back(2); }});
  peer.Receive();
  EXPECT_THAT(called, testing::ElementsAre(0, 1));
  EXPECT_FALSE(peer.MaySleep());
  peer.Receive();
  EXPECT_THAT(called, testing::ElementsAre(0, 1, 2));
  peer.Receive();
  EXPECT_THAT(called, testing::ElementsAre(0, 1, 2, 3));
  EXPECT_TRUE(peer.MaySleep());
}

INSTANTIATE_TEST_SUITE_P(Shards, ShardPeerTest, testing::Values(1, 2, 3, 5));

}  // namespace
}  // namespace tidegate
