// Decisions by number and time, against the tables of the stream contract written out once more as plain code
// with the whole past of the stream at hand.
#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <vector>

#include "engine/stream/replay.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kLatest = 100'000 * kSecond;

struct Sent {
  std::int64_t timestamp_ns;
  std::vector<float> values;
  std::uint64_t sequence = 0;
  bool accept_gap = false;

  Reading reading() const { return {timestamp_ns, values, sequence, accept_gap}; }
  bool Same(const Sent& other) const {
    const auto equal = [](float a, float b) { return a == b || (std::isnan(a) && std::isnan(b)); };
    return timestamp_ns == other.timestamp_ns &&
           std::equal(values.begin(), values.end(), other.values.begin(), equal);
  }
};

// All that a stream has ever taken, and what the contract says of the next reading.
class Past {
 public:
  explicit Past(const ModelSpec& spec) : spec_(spec) {}

  Outcome Push(const Sent& sent) {
    const Outcome outcome = Decide(sent);
    if (outcome == Outcome::kApplied) {
      last_ = sent;
      began_ = true;
    }
    const bool refused = outcome == Outcome::kLate || outcome == Outcome::kInvalid;
    if (sent.sequence > reached_ && (outcome == Outcome::kApplied || refused)) {
      reached_ = sent.sequence;
      by_number_[reached_] = {sent, outcome};
    }
    return outcome;
  }
  std::uint64_t reached() const { return reached_; }

 private:
  Outcome Decide(const Sent& sent) const {
    if (sent.sequence == 0) {
      const Outcome by_time = ByTime(sent);
      if (by_time != Outcome::kLate || sent.timestamp_ns != last_.timestamp_ns) return by_time;
      return sent.Same(last_) ? Outcome::kDuplicate : Outcome::kConflict;
    }
    if (sent.sequence <= reached_) {
      if (sent.sequence < reached_) return Outcome::kDuplicate;
      const auto& [before, outcome] = by_number_.at(reached_);
      if (!sent.Same(before)) return Outcome::kConflict;
      return outcome == Outcome::kApplied ? Outcome::kDuplicate : outcome;
    }
    if (sent.sequence > reached_ + 1 && !sent.accept_gap)
      return began_ || reached_ > 0 ? Outcome::kSequenceGap : Outcome::kUnknownStream;
    return ByTime(sent);
  }

  Outcome ByTime(const Sent& sent) const {
    for (const float v : sent.values) {
      if (std::isinf(v)) return Outcome::kInvalid;
    }
    if (sent.timestamp_ns < 0 || sent.timestamp_ns > kLatest) return Outcome::kInvalid;
    if (!began_) return Outcome::kApplied;
    const double ticks =
        static_cast<double>(sent.timestamp_ns - last_.timestamp_ns) / static_cast<double>(spec_.interval_ns);
    return std::floor(ticks + 0.5) >= 1 ? Outcome::kApplied : Outcome::kLate;
  }

  const ModelSpec& spec_;
  bool began_ = false;
  Sent last_;
  std::uint64_t reached_ = 0;
  std::map<std::uint64_t, std::pair<Sent, Outcome>> by_number_;
};

TEST(SequenceTest, RandomSchedulesHaveTheOutcomesOfThePlainReference) {
  const auto model = TinyModel();
  std::map<Outcome, int> seen;
  for (unsigned seed = 0; seed < 40; ++seed) {
    std::mt19937 random(seed);
    const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
    const bool numbered = seed % 4 != 0;
    ReplayedStream stream(model);
    Past past(model->spec());
    std::vector<Sent> sent;
    std::map<std::uint64_t, std::vector<float>> answers;  // forecasts of applied readings, by number
    std::uint64_t next = numbered ? 1 : 0;
    std::int64_t tick = 1;
    for (int i = 0; i < 400; ++i) {
      Sent now;
      if (!sent.empty() && below(4) == 0) {  // a retry, perhaps changed
        now = sent[sent.size() - 1 -
                   static_cast<std::size_t>(below(std::min<int>(3, static_cast<int>(sent.size()))))];
        if (below(5) == 0) now.values[0] += 1;
        if (below(8) == 0) now.timestamp_ns += kSecond;
      } else {
        tick += below(10) == 0 ? below(8) - 3 : 1;
        now.timestamp_ns = tick * kSecond + below(900'000'000) - 450'000'000;
        now.values = {20 + static_cast<float>(below(100)) * 0.1f, 50};
        if (below(12) == 0) now.values[1] = std::numeric_limits<float>::quiet_NaN();
        if (below(20) == 0) now.values[0] = std::numeric_limits<float>::infinity();
        if (below(30) == 0) now.timestamp_ns = kLatest + 1;
        now.sequence = next;
        if (numbered && below(15) == 0) now.sequence += static_cast<std::uint64_t>(1 + below(3));
        now.accept_gap = below(3) == 0;
        if (seed % 4 == 1 && below(6) == 0) now.sequence = 0;  // one of those that are not numbered
      }
      const Outcome expected = past.Push(now);
      const ReplayedStream::Answer answer = stream.Push(now.reading(), kLatest);
      ASSERT_EQ(answer.outcome, expected)
          << "seed " << seed << ", reading " << i << ", number " << now.sequence;
      ASSERT_EQ(answer.sequence, past.reached()) << "seed " << seed << ", reading " << i;
      ++seen[expected];
      if (numbered) next = past.reached() + 1;
      sent.push_back(now);
    }
  }
  for (const Outcome outcome : {Outcome::kApplied, Outcome::kDuplicate, Outcome::kConflict, Outcome::kLate,
                                Outcome::kSequenceGap, Outcome::kUnknownStream, Outcome::kInvalid}) {
    EXPECT_GE(seen[outcome], 5) << static_cast<int>(outcome);
  }
}

class NumberedStream : public testing::Test {
 protected:
  ReplayedStream::Answer Push(std::uint64_t number, std::int64_t tick, float value = 20,
                              bool accept_gap = false) {
    const std::vector<float> values = {value, 50};
    return stream_.Push({tick * kSecond, values, number, accept_gap}, kLatest);
  }

  ReplayedStream stream_{TinyModel()};
};

TEST_F(NumberedStream, ARetryOfTheLastAppliedReadingHasItsForecastAlsoBehindARefusedOne) {
  Push(1, 10);
  const std::vector<float> forecast = Push(2, 11).forecast;
  EXPECT_EQ(Push(3, 5).outcome, Outcome::kLate);
  const auto again = Push(2, 11);
  EXPECT_EQ(again.outcome, Outcome::kDuplicate);
  EXPECT_EQ(again.forecast, forecast);
  EXPECT_EQ(again.sequence, 3u);
  const auto older = Push(1, 10);
  EXPECT_EQ(older.outcome, Outcome::kDuplicate);
  EXPECT_TRUE(std::isnan(older.forecast[0]));
  EXPECT_EQ(Push(3, 5).outcome, Outcome::kLate) << "its outcome stays what it was";
  EXPECT_EQ(Push(4, 12).outcome, Outcome::kApplied);
}

TEST_F(NumberedStream, GapsAreGivenUpOnlyWhenAsked) {
  EXPECT_EQ(Push(2, 10).outcome, Outcome::kUnknownStream);
  EXPECT_EQ(Push(1, 10).outcome, Outcome::kApplied);
  const auto gap = Push(4, 11);
  EXPECT_EQ(gap.outcome, Outcome::kSequenceGap);
  EXPECT_EQ(gap.sequence, 1u) << "the next is expected";
  const auto given_up = Push(4, 11, 20, true);
  EXPECT_EQ(given_up.outcome, Outcome::kApplied);
  EXPECT_EQ(given_up.quality & quality::kGap, quality::kGap);
  EXPECT_EQ(Push(5, 12).quality & quality::kGap, 0);
}

TEST_F(NumberedStream, TheTimeOfTheLastReadingUnderANewNumberIsLate) {
  Push(1, 10);
  EXPECT_EQ(Push(2, 10).outcome, Outcome::kLate);
  EXPECT_EQ(Push(2, 11).outcome, Outcome::kConflict) << "number 2 has its outcome";
}

TEST_F(NumberedStream, TheLastNumberKeepsItsOutcomeBehindReadingsWithoutOne) {
  Push(1, 10);
  Push(0, 11);
  EXPECT_EQ(Push(1, 10).outcome, Outcome::kDuplicate);
  EXPECT_EQ(Push(1, 10, 21).outcome, Outcome::kConflict);
  EXPECT_EQ(Push(2, 5).outcome, Outcome::kLate);
  Push(0, 200);  // after so long a gap the stream begins anew
  EXPECT_EQ(Push(2, 5).outcome, Outcome::kLate);
  EXPECT_EQ(Push(2, 6).outcome, Outcome::kConflict);
  EXPECT_EQ(Push(3, 201).outcome, Outcome::kApplied);
  Push(0, 400);
  EXPECT_EQ(Push(3, 201).outcome, Outcome::kDuplicate);
}

// A network whose projection makes infinity of what it is given.
TEST(PoisonTest, AStateThatIsNotFiniteIsRefusedAndTheOneBeforeKept) {
  ModelSpec spec = TinySpec(LayerKind::kLstm, 4);
  spec.layers[0].projection = 2;
  Tensors tensors = TinyTensors(spec);
  const auto sound = *Model::Create(spec, tensors);
  for (float& v : tensors["layers.0.weight_hr"].values) v = 3e38f;
  ASSERT_EQ(tensors["layers.0.weight_hr"].shape.size(), 2u);
  const auto poison = *Model::Create(spec, tensors);
  ReplayedStream stream(poison), control(sound);
  const std::vector<float> values = {200, -50};
  const std::vector<float> before = stream.floats();
  bool poisoned = false;
  for (std::int64_t t = 1; t < 20; ++t) {
    const auto answer = stream.Push({t * kSecond, values, static_cast<std::uint64_t>(t)}, kLatest);
    EXPECT_EQ(answer.sequence, static_cast<std::uint64_t>(t));
    if (answer.outcome == Outcome::kApplied) continue;
    poisoned = true;
    EXPECT_EQ(answer.outcome, Outcome::kInvalid);
    EXPECT_EQ(answer.reason, Reason::kPoisonedState);
    for (std::size_t i = 0; i < poison->state_floats(); ++i) ASSERT_TRUE(std::isfinite(stream.floats()[i]));
    EXPECT_EQ(control.Push({t * kSecond, values}, kLatest).outcome, Outcome::kApplied);
  }
  EXPECT_TRUE(poisoned);
}

}  // namespace
}  // namespace tidegate
