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
    ModelSpec spec = index == 0 ? TinySpec(LayerKind::kGru, 5) : TinySpec(LayerKind::kLstm, 7, 2);
    spec.name = index == 0 ? "gru" : "lstm";
    if (index ==
        0) {  // what needs the time of a step, bridged ones too, and states that move with the reading
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

  const std::array<std::shared_ptr<const Model>, 2> models_ = {TinyModel(Spec(0), 3), TinyModel(Spec(1), 4)};
  ShardMetrics metrics_{2};
  Shard shard_{models_, /*max_streams=*/500, metrics_};
  std::deque<Request> requests_;
  std::vector<Work*> done_;
};

// Readings of one stream with all that happens to readings: retries, conflicts, lateness, missing ticks,
// values and numbers.
std::vector<Sent> Life(const std::string& stream, std::size_t n, bool numbered, std::mt19937& random) {
  std::vector<Sent> sent;
  std::int64_t tick = static_cast<std::int64_t>(random() % 1000);
  std::uint64_t number = 0;
  std::normal_distribution<float> noise(0, 1);
  for (std::size_t i = 0; i < n; ++i) {
    Sent next = {stream, tick * kSecond, {20 + noise(random), 50 + noise(random)}};
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
    tick = std::max(tick, next.timestamp_ns / kSecond) + 1;
    if (numbered && random() % 4 != 0) number = std::max(number, next.sequence);
    sent.push_back(next);
  }
  return sent;
}

// Streams of two models, half of them with numbers, each with its own life, mixed at random into messages
// that wait together; now and then a stream is reset.
TEST_F(ShardTest, AnswersAreThoseOfEachStreamAloneHoweverRequestsAreMixed) {
  std::mt19937 random(7);
  std::vector<std::deque<Sent>> lives;
  std::map<std::string, Alone> alone;
  for (std::size_t s = 0; s < 400; ++s) {
    const std::string id = absl::StrCat("stream ", s);
    const auto life = Life(id, 25, s % 4 >= 2, random);
    lives.emplace_back(life.begin(), life.end());
    alone.emplace(id, models_[s % 2]);
  }
  std::map<Outcome, int> seen;
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
      }
    }
  };
  const auto left = [&] {
    return std::ranges::any_of(lives, [](const auto& life) { return !life.empty(); });
  };
  while (left()) {
    const std::uint32_t model = random() % 2;
    std::vector<Sent> message;
    const std::size_t size = 1 + random() % 300;
    for (std::size_t attempt = 0; attempt < 4 * size && message.size() < size; ++attempt) {
      std::deque<Sent>& life = lives[random() % (random() % 8 == 0 ? 6 : lives.size()) / 2 * 2 + model];
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
      shard_.Reset(*key);
      alone.at(id).Reset();
    }
  }
  check();
  for (const Outcome outcome : {Outcome::kApplied, Outcome::kDuplicate, Outcome::kConflict, Outcome::kLate,
                                Outcome::kSequenceGap, Outcome::kUnknownStream, Outcome::kInvalid}) {
    EXPECT_GT(seen[outcome], 20) << static_cast<int>(outcome);
    EXPECT_EQ(metrics_.models[0].readings[static_cast<std::size_t>(outcome)].value() +
                  metrics_.models[1].readings[static_cast<std::size_t>(outcome)].value(),
              static_cast<std::uint64_t>(seen[outcome]));
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

// Counts batches by model, and knows how many there were when a stream's reading was first applied.
class BatchCounter final : public AppliedObserver {
 public:
  void Applied(const Model& model, std::span<const AppliedReading> readings) override {
    ++batches[model.spec().name];
    for (const AppliedReading& reading : readings) first.try_emplace(std::string(reading.id), batches);
  }
  std::map<std::string, int> batches;
  std::map<std::string, std::map<std::string, int>> first;  // of each stream
};

// 40 readings of each of 200 streams, about what a call may have unanswered, from turn `first` on; `apart`
// ticks from a stream's reading to its next.
std::vector<Sent> Firehose(const std::string& prefix, std::int64_t apart, std::int64_t first = 0) {
  std::vector<Sent> sent;
  for (std::int64_t turn = first; turn < first + 40; ++turn) {
    for (int s = 0; s < 200; ++s)
      sent.push_back({absl::StrCat(prefix, s), (1 + apart * turn) * kSecond, {20, 50}});
  }
  return sent;
}

// First come, first served goes by streams: a sensor's one reading waits for one of each other stream's, not
// for all.
TEST_F(ShardTest, AFirehoseDoesNotStarveAQuietStream) {
  BatchCounter counter;
  shard_.Observe(&counter);
  shard_.Admit(Add(Firehose("hose ", 1)).work);
  shard_.Admit(Add({{"quiet", kSecond, {20, 50}}}).work);
  RunAll();
  EXPECT_EQ(counter.first.at("quiet").at("gru"), 1) << "200 streams and it make less than a batch";
  EXPECT_GE(counter.batches.at("gru"), 40) << "no stream is in a batch twice";
}

TEST_F(ShardTest, AFirehoseThatNeverRunsDryDoesNotStarveAQuietStream) {
  BatchCounter counter;
  shard_.Observe(&counter);
  shard_.Admit(Add(Firehose("hose ", 1)).work);
  shard_.Admit(Add(Firehose("another ", 1)).work);
  for (std::int64_t turn = 40; turn <= 120; turn += 40) {
    shard_.Run(done_);
    shard_.Admit(Add(Firehose("hose ", 1, turn)).work);
    shard_.Admit(Add(Firehose("another ", 1, turn)).work);
  }
  const int before = counter.batches.at("gru");
  shard_.Admit(Add({{"quiet", kSecond, {20, 50}}}).work);
  for (std::int64_t turn = 160; counter.first.count("quiet") == 0 && turn < 400; turn += 40) {
    shard_.Run(done_);
    shard_.Admit(Add(Firehose("hose ", 1, turn)).work);
  }
  ASSERT_EQ(counter.first.count("quiet"), 1u);
  EXPECT_LE(counter.first.at("quiet").at("gru") - before, 2)
      << "one reading of each of 400 streams is before it";
  RunAll();
}

TEST_F(ShardTest, StreamsThatStepOverMissingReadingsDoNotStarveAQuietStream) {
  BatchCounter counter;
  shard_.Observe(&counter);
  shard_.Admit(Add(Firehose("hose ", 4)).work);
  shard_.Admit(Add(Firehose("another ", 4)).work);
  shard_.Admit(Add({{"quiet", kSecond, {20, 50}}}).work);
  RunAll();
  EXPECT_LE(counter.first.at("quiet").at("gru"), 2) << "the first readings of 400 streams are before it";
}

TEST_F(ShardTest, ModelsTakeTurnsByBatches) {
  BatchCounter counter;
  shard_.Observe(&counter);
  shard_.Admit(Add(Firehose("a", 1), 0).work);
  shard_.Admit(Add(Firehose("b", 1), 1).work);
  shard_.Admit(Add({{"quiet", kSecond, {20, 50}}}, 1).work);
  const auto batches = [&](std::uint32_t model) { return counter.batches[models_[model]->spec().name]; };
  while (!shard_.idle()) {
    shard_.Run(done_);
    ASSERT_EQ(batches(0), batches(1));
  }
  EXPECT_EQ(counter.first.at("quiet").at("lstm"), 1);

  shard_.Admit(Add(Firehose("a", 1, 40), 0).work);  // of one model alone
  shard_.Run(done_);
  const int others = batches(0);
  shard_.Admit(Add({{"alone", kSecond, {20, 50}}}, 1).work);
  RunAll();
  EXPECT_LE(counter.first.at("alone").at("gru") - others, 1);
}

}  // namespace
}  // namespace tidegate
