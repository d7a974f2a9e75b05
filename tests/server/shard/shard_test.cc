#include "server/shard/shard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/server/shard/shard_fixture.h"

namespace tidegate {
namespace {

using testing::Each;
using testing::ElementsAre;

constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

std::uint64_t Count(const Histogram& histogram) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i <= histogram.bounds().size(); ++i) count += histogram.count(i);
  return count;
}

// Readings of one stream with all that happens to readings: retries, conflicts, lateness, missing ticks,
// values and numbers; `shuffled`, their times are out of order within every four.
std::vector<Sent> Life(const std::string& stream, std::size_t n, bool numbered, std::mt19937& random,
                       bool shuffled = false) {
  std::vector<Sent> sent;
  std::vector<std::int64_t> ahead;  // shuffled: ticks that come before `tick`
  std::int64_t tick = static_cast<std::int64_t>(random() % 1000);
  std::uint64_t number = 0;
  std::normal_distribution<float> noise(0, 1);
  for (std::size_t i = 0; i < n; ++i) {
    if (shuffled && ahead.empty() && i > 0) {
      for (int k = 0; k < 4; ++k) ahead.push_back(tick++);
      std::ranges::shuffle(ahead, random);
    }
    std::int64_t now = tick;
    if (!ahead.empty()) {
      now = ahead.back();
      ahead.pop_back();
    }
    Sent next = {stream, now * kSecond, {20 + noise(random), 50 + noise(random)}};
    if (numbered) next.sequence = ++number;
    switch (random() % 14) {
      case 0:
        if (!sent.empty())
          next = sent[sent.size() - 1 - random() % std::min<std::size_t>(2, sent.size())];  // retry
        break;
      case 1:
        if (!sent.empty()) next.timestamp_ns = sent.back().timestamp_ns;  // conflict
        break;
      case 2:
        next.timestamp_ns -= 5 * kSecond;  // late
        break;
      case 3:
        next.values[random() % 2] = kNaN;
        break;
      case 4:
        next.values[0] = kInfinity;
        break;
      case 5:
        next.timestamp_ns += static_cast<std::int64_t>(random() % 8) * kSecond;  // bridged, or restarted
        break;
      case 6:
        if (numbered) next.sequence += 1 + random() % 2;  // a gap
        break;
      default:
        break;
    }
    if (next.timestamp_ns / kSecond >= tick) {
      tick = next.timestamp_ns / kSecond + 1;
      ahead.clear();
    } else if (!shuffled) {
      ++tick;
    }
    if (numbered && random() % 4 != 0) number = std::max(number, next.sequence);
    sent.push_back(next);
  }
  return sent;
}

// Streams of three models, half of them with numbers, each with its own life, mixed at random into messages
// that wait together; now and then a stream is reset or deleted.
TEST_F(ShardTest, AnswersAreThoseOfEachStreamAloneHoweverRequestsAreMixed) {
  std::mt19937 random(7);
  std::vector<std::deque<Sent>> lives;
  std::map<std::string, Alone> alone;
  for (std::size_t s = 0; s < 450; ++s) {
    const std::string id = absl::StrCat("stream ", s);
    const auto life = Life(id, 25, s % 4 >= 2, random, s % 3 == 2);
    lives.emplace_back(life.begin(), life.end());
    alone.emplace(id, models_[s % 3]);
  }
  std::map<Outcome, int> seen, held;
  std::size_t checked = 0;
  const auto check = [&] {  // all that was sent so far
    RunAll();
    ASSERT_EQ(done_.size(), requests_.size());
    for (; checked < requests_.size(); ++checked) {
      const Request& request = requests_[checked];
      for (std::size_t i = 0; i < request.sent().size(); ++i) {
        Sent sent = request.sent()[i];
        sent.accept_gap = request.work.accept_gap;
        const Answer expected = alone.at(sent.stream).Push(sent);
        ASSERT_EQ(request.answer(i), expected) << sent.stream << ", number " << sent.sequence;
        ++seen[expected.outcome];
        if ((expected.quality & quality::kHeld) != 0) ++held[expected.outcome];
      }
    }
  };
  const auto left = [&] {
    return std::ranges::any_of(lives, [](const auto& life) { return !life.empty(); });
  };
  while (left()) {
    const std::uint32_t model = random() % 3;
    std::vector<Sent> message;
    const std::size_t size = 1 + random() % 300;
    for (std::size_t attempt = 0; attempt < 4 * size && message.size() < size; ++attempt) {
      std::deque<Sent>& life = lives[random() % (random() % 8 == 0 ? 6 : lives.size()) / 3 * 3 + model];
      for (std::size_t repeat = random() % 3 + 1; repeat > 0 && !life.empty(); --repeat) {
        message.push_back(life.front());
        life.pop_front();
      }
    }
    if (message.empty()) continue;
    message.front().accept_gap = random() % 3 == 0;  // of the whole message
    shard_.Admit(Add(std::move(message), model).work);
    if (random() % 3 == 0) shard_.Run(done_);
    if (random() % 4 != 0) continue;
    check();
    const std::string id = absl::StrCat("stream ", random() % lives.size());
    if (const auto key = shard_.table().Find(id)) {
      random() % 2 == 0 ? shard_.Reset(*key) : shard_.Delete(*key);
      alone.at(id).Reset();
    }
  }
  check();
  EXPECT_GT(held[Outcome::kApplied], 500);
  EXPECT_GT(held[Outcome::kDuplicate], 20);
  for (const Outcome outcome : {Outcome::kApplied, Outcome::kDuplicate, Outcome::kConflict, Outcome::kLate,
                                Outcome::kSequenceGap, Outcome::kUnknownStream, Outcome::kInvalid}) {
    EXPECT_GT(seen[outcome], 20) << static_cast<int>(outcome);
    std::uint64_t counted = 0;
    for (const ModelMetrics& model : metrics_.models)
      counted += model.readings[static_cast<std::size_t>(outcome)].value();
    EXPECT_EQ(counted, static_cast<std::uint64_t>(seen[outcome]));
  }
}

TEST_F(ShardTest, ReadingsOfOneStreamInAMessageAreTakenInOrder) {
  const Request& request =
      Push({{"a", 1 * kSecond, {20, 50}}, {"a", 2 * kSecond, {21, 50}}, {"a", 3 * kSecond, {22, 50}}});
  EXPECT_THAT(request.outcomes(), Each(Outcome::kApplied));
  EXPECT_EQ(request.answer(0).steps, 1u);
  EXPECT_EQ(request.answer(1).steps, 2u);
  EXPECT_EQ(request.answer(2).steps, 3u);
}

TEST_F(ShardTest, ABadReadingHarmsNoNeighbour) {
  const Request& request = Push({{"a", 1 * kSecond, {20, 50}},
                                 {"a", 2 * kSecond, {kInfinity, 50}},
                                 {"", 2 * kSecond, {20, 50}},
                                 {"b", -1, {20, 50}},
                                 {"a", 2 * kSecond, {20, 50}},
                                 {"a", kLatest + 1, {20, 50}}});
  EXPECT_THAT(request.outcomes(), ElementsAre(Outcome::kApplied, Outcome::kInvalid, Outcome::kInvalid,
                                              Outcome::kInvalid, Outcome::kApplied, Outcome::kInvalid));
  EXPECT_EQ(request.answer(1).reason, Reason::kInfiniteValue);
  EXPECT_EQ(request.answer(2).reason, Reason::kStreamId);
  EXPECT_EQ(request.answer(3).reason, Reason::kNegativeTimestamp);
  EXPECT_EQ(request.answer(5).reason, Reason::kFutureTimestamp);
  EXPECT_EQ(request.answer(4).steps, 2u);
  EXPECT_TRUE(request.work.any_reason);
  EXPECT_EQ(metrics_.models[0].streams.value(), 1) << "a reading that is refused begins no stream";
}

TEST_F(ShardTest, HandlesOfEarlierMessagesNameTheStream) {
  StreamHandles handles;
  Request& first = Add({{"a", 1 * kSecond, {20, 50}}, {"b", 1 * kSecond, {30, 60}}});
  Request& second =
      Add({{"c", 1 * kSecond, {25, 55}}, {"", 2 * kSecond, {31, 61}}, {"", 2 * kSecond, {0, 0}}});
  const std::array<std::uint32_t, 3> handle = {2, 1, 3};
  const std::array<const std::string*, 1> ids = {&second.sent()[0].stream};
  first.work.handles = &handles;
  second.work.handles = &handles;
  second.work.handle = handle;
  second.work.ids = ids;
  shard_.Admit(first.work);
  shard_.Admit(second.work);
  RunAll();
  EXPECT_THAT(second.outcomes(), ElementsAre(Outcome::kApplied, Outcome::kApplied, Outcome::kInvalid));
  EXPECT_EQ(second.answer(2).reason, Reason::kUnknownHandle);
  EXPECT_EQ(second.answer(1).steps, 2u);
  Alone b(models_[0]);
  b.Push(first.sent()[1]);
  EXPECT_EQ(second.answer(1), b.Push(second.sent()[1]));
}

TEST_F(ShardTest, AStreamStaysWithTheModelOfItsFirstReading) {
  Push({{"a", 1 * kSecond, {20, 50}}}, 0);
  const Request& other = Push({{"a", 2 * kSecond, {20, 50}}}, 1);
  EXPECT_EQ(other.answer(0).outcome, Outcome::kInvalid);
  EXPECT_EQ(other.answer(0).reason, Reason::kOtherModel);
  EXPECT_EQ(Push({{"a", 2 * kSecond, {20, 50}}}, 0).answer(0).steps, 2u);
}

TEST_F(ShardTest, WhenFullNewStreamsAreOverloadedAndOldOnesServed) {
  std::vector<Sent> all(501);
  for (std::size_t i = 0; i < all.size(); ++i) all[i] = {absl::StrCat(i), kSecond, {20, 50}};
  const Request& request = Push(all);
  EXPECT_EQ(request.answer(499).outcome, Outcome::kApplied);
  EXPECT_EQ(request.answer(500).outcome, Outcome::kOverloaded);
  EXPECT_EQ(Push({{"0", 2 * kSecond, {20, 50}}}).answer(0).outcome, Outcome::kApplied);
  EXPECT_EQ(metrics_.models[0].streams.value(), 500);
  EXPECT_EQ(metrics_.models[0].readings[8].value(), 1u);
}

TEST_F(ShardTest, AMessageWithoutReadingsIsAnsweredAtOnce) {
  Request& request = Add({});
  shard_.Admit(request.work);
  EXPECT_FALSE(shard_.idle());
  shard_.Run(done_);
  EXPECT_THAT(done_, ElementsAre(&request.work));
  EXPECT_TRUE(shard_.idle());
}

TEST_F(ShardTest, StreamsOfAllRequestsShareABatch) {
  for (int i = 0; i < 100; ++i) shard_.Admit(Add({{absl::StrCat(i), kSecond, {20, 50}}}).work);
  RunAll();
  const Histogram& sizes = metrics_.models[0].batch_size;
  EXPECT_EQ(sizes.sum(), 100);
  EXPECT_EQ(sizes.count(7) + sizes.count(8), 2u) << "one of 64 and one of 36";
  EXPECT_GT(metrics_.stage(Stage::kQueue).sum(), 0);
  for (const Stage stage : {Stage::kGather, Stage::kStep, Stage::kScatter}) {
    EXPECT_GT(metrics_.stage(stage).sum(), 0);
    EXPECT_EQ(Count(metrics_.stage(stage)), Count(metrics_.models[0].batch_size));
  }
}

TEST_F(ShardTest, CountsStreamsThatComeAndGoAndAnswersThatAreCold) {
  std::uint64_t cold = 0;
  for (std::int64_t t = 1; t <= 10; ++t) {
    cold += Push({{"a", t * kSecond, {20, 50}}, {"b", t / 5 * kSecond, {20, 50}}}).answer(0).quality & 1u;
  }
  const ModelMetrics& counted = metrics_.models[0];
  EXPECT_EQ(counted.streams_created.value(), 2u);
  EXPECT_GE(cold, 1u);
  EXPECT_LT(cold, 10u);
  EXPECT_EQ(counted.cold_answers.value(), cold + 10) << "b never gets warm, and repeats its answers";
  shard_.Delete(*shard_.table().Find("a"));
  EXPECT_EQ(counted.streams_deleted.value(), 1u);
  EXPECT_EQ(counted.streams_created.value(), 2u);
  EXPECT_EQ(counted.streams.value(), 1);
}

TEST_F(ShardTest, RunReturnsNowAndThenWhileMuchWaits) {
  std::vector<Sent> backlog(1000, {"a", 0, {20, 50}});
  for (std::size_t i = 0; i < backlog.size(); ++i)
    backlog[i].timestamp_ns = static_cast<std::int64_t>(i) * kSecond;
  shard_.Admit(Add(backlog).work);
  Request& other = Add({{"b", kSecond, {20, 50}}});
  shard_.Run(done_);
  EXPECT_FALSE(shard_.idle());
  shard_.Admit(other.work);
  shard_.Run(done_);
  EXPECT_THAT(done_, ElementsAre(&other.work))
      << "what came later does not wait for the backlog of another stream";
  RunAll();
  EXPECT_EQ(done_.size(), 2u);
}

TEST_F(ShardTest, AnObserverSeesTheAnswersOfAppliedReadingsAndNoOthers) {
  Watcher watcher;
  shard_.Observe(&watcher);
  std::mt19937 random(11);
  std::map<std::string, std::vector<Answer>> applied;
  for (const std::uint32_t model : {0u, 1u}) {
    for (int s = 0; s < 20; ++s) {
      const std::string id = absl::StrCat(model, "-", s);
      const Request& request = Push(Life(id, 100, true, random), model);
      for (std::size_t i = 0; i < request.sent().size(); ++i) {
        if (request.answer(i).outcome == Outcome::kApplied) applied[id].push_back(request.answer(i));
      }
    }
  }
  EXPECT_EQ(watcher.seen, applied);
  shard_.Observe(nullptr);
  Push({{"unseen", kSecond, {20, 50}}});
  EXPECT_EQ(watcher.seen.count("unseen"), 0u);
}

}  // namespace
}  // namespace tidegate
