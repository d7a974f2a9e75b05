#include "server/shard/shard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <deque>
#include <limits>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/stream/replay.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

using testing::Each;
using testing::ElementsAre;

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kLatest = 1'000'000 * kSecond;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

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

std::uint32_t Bits(float v) { return std::isnan(v) ? 0x7fc00000 : std::bit_cast<std::uint32_t>(v); }
std::vector<std::uint32_t> Bits(std::span<const float> values) {
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

std::uint64_t Count(const Histogram& histogram) {
  std::uint64_t count = 0;
  for (std::size_t i = 0; i <= histogram.bounds().size(); ++i) count += histogram.count(i);
  return count;
}

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
  for (int i = 0; i < 300; ++i) shard_.Admit(Add({{absl::StrCat(i), kSecond, {20, 50}}}).work);
  RunAll();
  const Histogram& sizes = metrics_.models[0].batch_size;
  EXPECT_EQ(sizes.sum(), 300);
  EXPECT_EQ(sizes.count(6) + sizes.count(8), 2u) << "one of 256 and one of 44";
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

TEST_F(ShardTest, AnObserverSeesAHeldReadingWhenItIsStepped) {
  Watcher watcher;
  shard_.Observe(&watcher);
  const std::vector<Sent> sorted = {
      {"a", 10 * kSecond, {20, 50}}, {"a", 11 * kSecond, {21, 51}}, {"a", 12 * kSecond, {22, 52}}};
  const Request& request = Push({sorted[0], sorted[2], sorted[1]}, 2);
  EXPECT_THAT(request.outcomes(), Each(Outcome::kApplied));
  EXPECT_EQ(request.answer(1).quality, quality::kHeld);
  Alone alone(models_[2]);
  const std::vector<Answer> in_order = {alone.Push(sorted[0]), alone.Push(sorted[1]), alone.Push(sorted[2])};
  EXPECT_EQ(watcher.seen["a"], in_order);
  EXPECT_EQ(request.answer(2), in_order[1]);
}

// A stream that holds so many readings that stepping them takes longer than one Run.
class LongWindowTest : public ShardTest {
 protected:
  static constexpr std::size_t kWindow = 64;

  LongWindowTest() {
    Send(0);
    for (std::int64_t tick = 2; tick <= 1 + static_cast<std::int64_t>(kWindow); ++tick)
      EXPECT_EQ(Send(tick).quality, quality::kHeld);
  }

  static std::shared_ptr<const Model> MakeModel() {
    ModelSpec spec = Spec(2);
    spec.reorder_window = kWindow;
    return TinyModel(spec, 3);
  }
  static Sent Reading(std::int64_t tick, const std::string& stream = "a") {
    return {stream, tick * kSecond, {20 + static_cast<float>(tick % 3), 50}};
  }
  Request& AdmitReading(std::int64_t tick, const std::string& stream = "a") {
    Request& request = requests_.emplace_back(0, model_->spec(), std::vector<Sent>{Reading(tick, stream)});
    long_.Admit(request.work);
    return request;
  }
  void RunLong() {
    while (!long_.idle()) long_.Run(done_);
  }
  // Also to the stream that is alone.
  Answer Send(std::int64_t tick) {
    Request& request = AdmitReading(tick);
    RunLong();
    Answer answer = request.answer(0);
    EXPECT_EQ(answer, alone_.Push(Reading(tick))) << tick;
    return answer;
  }
  StreamKey key() { return *long_.table().Find("a"); }

  const std::shared_ptr<const Model> model_ = MakeModel();
  ShardMetrics long_metrics_{1};
  Shard long_{std::span(&model_, 1), /*max_streams=*/10, long_metrics_};
  Alone alone_{model_};
};

TEST_F(LongWindowTest, StreamsThatStepHeldReadingsShareTheirBatches) {
  const Request& filler = AdmitReading(1);
  const Request& waiting = AdmitReading(66);
  const Request& other = AdmitReading(1, "b");
  done_.clear();
  long_.Run(done_);
  EXPECT_THAT(done_, ElementsAre(&other.work));
  RunLong();
  EXPECT_EQ(filler.answer(0), alone_.Push(Reading(1)));
  EXPECT_EQ(waiting.answer(0), alone_.Push(Reading(66)));
  EXPECT_EQ(waiting.answer(0).steps, 67u);
}

TEST_F(LongWindowTest, AStreamThatIsResetBetweenHasTakenTheReadingAndForgotIt) {
  const Request& filler = AdmitReading(1);
  long_.Run(done_);
  ASSERT_FALSE(long_.idle());
  long_.Reset(key());
  RunLong();
  EXPECT_EQ(filler.answer(0), alone_.Push(Reading(1)));
  alone_.Reset();
  EXPECT_EQ(Send(66).steps, 1u);
  EXPECT_EQ(Send(68).quality, quality::kHeld) << "what was held is forgotten too";
  EXPECT_EQ(Send(67).steps, 2u);
  EXPECT_EQ(Send(69).steps, 4u);
}

TEST_F(LongWindowTest, AReadingWhoseTurnHasNotComeIsTakenAfterAReset) {
  const Request& jump = AdmitReading(1000);
  long_.Run(done_);
  ASSERT_FALSE(long_.idle());
  long_.Reset(key());
  RunLong();
  alone_.Reset();
  EXPECT_EQ(jump.answer(0), alone_.Push(Reading(1000)));
  EXPECT_EQ(jump.answer(0).quality, quality::kCold) << "as the first, not after a restart";
  EXPECT_EQ(Send(1001).steps, 2u);
}

TEST_F(LongWindowTest, AStreamThatIsDeletedBetweenHasTakenTheReading) {
  const Request& filler = AdmitReading(1);
  const Request& waiting = AdmitReading(66);
  long_.Run(done_);
  long_.Delete(key());
  RunLong();
  EXPECT_EQ(filler.answer(0), alone_.Push(Reading(1)));
  EXPECT_EQ(waiting.answer(0).reason, Reason::kStreamDeleted);
  alone_.Reset();
  EXPECT_EQ(Send(67).steps, 1u);
  EXPECT_EQ(Send(68).steps, 2u);
}

TEST_F(LongWindowTest, AStateTakenBetweenGoesOnAsTheStream) {
  AdmitReading(1);
  long_.Run(done_);
  ASSERT_FALSE(long_.idle());
  const StreamHeader header = long_.header(key());
  const std::vector<float> floats(long_.floats(key()).begin(), long_.floats(key()).end());
  EXPECT_TRUE(IsStream(*model_, header, floats));
  ASSERT_TRUE(long_.Create("copy", 0, header, floats));
  RunLong();
  alone_.Push(Reading(1));
  const Request& next = AdmitReading(66);
  const Request& of_copy = AdmitReading(66, "copy");
  RunLong();
  EXPECT_EQ(next.answer(0), alone_.Push(Reading(66)));
  EXPECT_EQ(of_copy.answer(0), next.answer(0));
}

}  // namespace
}  // namespace tidegate
