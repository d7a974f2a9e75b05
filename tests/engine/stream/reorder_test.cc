// Readings out of order in streams with a reorder window, against the same readings in order in a stream
// without one.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "engine/stream/replay.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kLatest = 1'000'000 * kSecond;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

using Answer = ReplayedStream::Answer;

std::vector<std::uint32_t> Bits(std::span<const float> values) {
  std::vector<std::uint32_t> bits;
  for (const float v : values) bits.push_back(std::isnan(v) ? 0x7fc00000 : std::bit_cast<std::uint32_t>(v));
  return bits;
}

// The same network with any window; it has all that needs the time of a step.
std::shared_ptr<const Model> ModelWith(std::size_t reorder_window) {
  ModelSpec spec = TinySpec();
  spec.layers.insert(spec.layers.begin(),
                     {.kind = LayerKind::kConv1d, .units = 4, .kernel = 3, .stride = 3, .relative = true});
  spec.interleaved = true;
  spec.cycle = 5;
  spec.linear_context = 4;
  const Tensors tensors = TinyTensors(spec);
  spec.reorder_window = reorder_window;
  return *Model::Create(spec, tensors);
}

struct Sent {
  std::int64_t timestamp_ns;
  std::vector<float> values;
};

// What a stream is but its held readings and numbers.
void ExpectSameState(const std::shared_ptr<const Model>& model, ReplayedStream& a, ReplayedStream& b) {
  const auto bits = [&](ReplayedStream& s) { return Bits({s.floats().data(), model->layout().held}); };
  EXPECT_EQ(bits(a), bits(b));
  EXPECT_EQ(a.header().timestamp_ns, b.header().timestamp_ns);
  EXPECT_EQ(a.header().digest, b.header().digest);
  EXPECT_EQ(a.header().steps, b.header().steps);
  EXPECT_EQ(a.header().quality, b.header().quality);
  EXPECT_EQ(Bits({&a.header().anomaly_score, 1}), Bits({&b.header().anomaly_score, 1}));
}

bool HasForecast(const Answer& answer) { return !std::isnan(answer.forecast[0]); }

// A stream with a window of 3, one without, and readings of whole seconds for both.
class ReorderTest : public testing::Test {
 protected:
  static std::vector<float> ValuesOf(std::int64_t tick) {
    return {20 + 0.3f * static_cast<float>(tick % 7), 50 - 0.5f * static_cast<float>(tick % 5)};
  }
  Answer Push(std::int64_t tick, std::uint64_t number = 0) {
    return PushValues(tick, ValuesOf(tick), number);
  }
  Answer PushValues(std::int64_t tick, const std::vector<float>& values, std::uint64_t number = 0) {
    return stream_.Push({tick * kSecond, values, number}, kLatest);
  }
  Answer PushInOrder(std::int64_t tick) { return in_order_.Push({tick * kSecond, ValuesOf(tick)}, kLatest); }
  std::size_t held() {
    return HeldReadings(model_->spec(), stream_.floats().data() + model_->layout().held).size();
  }

  const std::shared_ptr<const Model> model_ = ModelWith(3), plain_ = ModelWith(0);
  ReplayedStream stream_{model_}, in_order_{plain_};
};

TEST_F(ReorderTest, AnyOrderInWhichNoReadingIsLaterThanTheWindowEndsLikeTheSortedOne) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937 random(seed);
    const auto window = static_cast<std::int64_t>(1 + random() % 8);
    const auto model = ModelWith(static_cast<std::size_t>(window));
    std::normal_distribution<float> noise(0, 1);
    std::vector<Sent> sorted;
    std::vector<std::pair<std::int64_t, std::size_t>> order;  // when each one comes
    for (std::int64_t tick = 0; sorted.size() < 150; ++tick) {
      const bool middle = sorted.size() > 1 && sorted.size() < 140;
      if (middle && random() % 8 == 0) tick += static_cast<std::int64_t>(random() % 4);  // are missing
      const std::int64_t jitter = static_cast<std::int64_t>(random() % 400'000'000) - 200'000'000;
      Sent next = {(100 + tick) * kSecond + jitter, {20 + noise(random), 50 + noise(random)}};
      if (!sorted.empty() && random() % 10 == 0) next.values[random() % 2] = kNaN;
      const auto late = sorted.empty() ? 0 : static_cast<std::int64_t>(random()) % (window + 1);
      order.emplace_back(tick + late, sorted.size());
      sorted.push_back(next);
    }
    std::ranges::shuffle(order.begin() + 1, order.end(), random);
    std::ranges::stable_sort(order.begin() + 1, order.end(), {},
                             &std::pair<std::int64_t, std::size_t>::first);
    EXPECT_FALSE(std::ranges::is_sorted(order, {}, &std::pair<std::int64_t, std::size_t>::second));

    ReplayedStream stream(model), in_order(plain_);
    for (const auto& [when, i] : order) {
      const Answer answer = stream.Push({sorted[i].timestamp_ns, sorted[i].values}, kLatest);
      ASSERT_EQ(answer.outcome, Outcome::kApplied) << "seed " << seed << ", reading " << i;
      ASSERT_EQ(HasForecast(answer), answer.quality != quality::kHeld);
    }
    for (const Sent& sent : sorted) in_order.Push({sent.timestamp_ns, sent.values}, kLatest);
    ExpectSameState(plain_, stream, in_order);
    const Sent last = {sorted.back().timestamp_ns + kSecond, {21, 51}};
    EXPECT_EQ(Bits(stream.Push({last.timestamp_ns, last.values}, kLatest).forecast),
              Bits(in_order.Push({last.timestamp_ns, last.values}, kLatest).forecast));
    ASSERT_FALSE(HasFailure()) << "seed " << seed << ", window " << window;
  }
}

TEST_F(ReorderTest, AHeldReadingIsAcceptedAndChangesNothingElse) {
  Push(10);
  const StreamHeader before = stream_.header();
  const Answer answer = Push(12);
  EXPECT_EQ(answer.outcome, Outcome::kApplied);
  EXPECT_EQ(answer.quality, quality::kHeld);
  EXPECT_EQ(answer.steps, 1u);
  EXPECT_FALSE(HasForecast(answer));
  EXPECT_TRUE(std::isnan(answer.anomaly_score));
  EXPECT_EQ(stream_.header().timestamp_ns, before.timestamp_ns);
  EXPECT_EQ(held(), 1u);
  PushInOrder(10);
  ExpectSameState(plain_, stream_, in_order_);
}

TEST_F(ReorderTest, AReadingThatFillsAGapIsAnsweredForItsOwnStepAndTakesTheHeldOnesAlong) {
  for (const std::int64_t tick : {10, 13, 12}) Push(tick);
  EXPECT_EQ(held(), 2u);
  const Answer answer = Push(11);
  PushInOrder(10);
  const Answer own = PushInOrder(11);
  EXPECT_EQ(Bits(answer.forecast), Bits(own.forecast));
  EXPECT_EQ(answer.steps, own.steps);
  EXPECT_EQ(answer.quality, own.quality);
  EXPECT_EQ(held(), 0u);
  PushInOrder(12);
  const Answer last = PushInOrder(13);
  ExpectSameState(plain_, stream_, in_order_);
  const Answer again = Push(13);
  EXPECT_EQ(again.outcome, Outcome::kDuplicate);
  EXPECT_EQ(Bits(again.forecast), Bits(last.forecast))
      << "a retry of a reading that was held has its forecast";
  EXPECT_EQ(again.steps, 4u);
  EXPECT_EQ(Push(11).outcome, Outcome::kLate) << "as any that is older than the last applied one";
}

TEST_F(ReorderTest, WhatIsMissingIsBridgedOnceItWouldBeTooLate) {
  Push(10);
  for (const std::int64_t tick : {12, 13, 14}) EXPECT_EQ(Push(tick).quality, quality::kHeld);
  const Answer answer = Push(15);  // 11 would be more than 3 ticks late
  for (const std::int64_t tick : {10, 12, 13, 14}) PushInOrder(tick);
  EXPECT_EQ(Bits(answer.forecast), Bits(PushInOrder(15).forecast));
  EXPECT_EQ(answer.steps, 6u);
  EXPECT_EQ(held(), 0u);
  ExpectSameState(plain_, stream_, in_order_);
  EXPECT_EQ(Push(11).outcome, Outcome::kLate);
}

TEST_F(ReorderTest, TheWindowIsAsLongBehindAGap) {
  Push(10);
  EXPECT_EQ(Push(14).quality, quality::kHeld);  // three are missing
  EXPECT_EQ(Push(13).quality, quality::kHeld);
  EXPECT_EQ(Push(15).quality, quality::kHeld);
  const Answer answer = Push(16);  // 12 would be more than 3 ticks late
  EXPECT_TRUE(HasForecast(answer));
  for (const std::int64_t tick : {10, 13, 14, 15}) PushInOrder(tick);
  EXPECT_EQ(Bits(answer.forecast), Bits(PushInOrder(16).forecast));
}

TEST_F(ReorderTest, ATickHasOneReadingAlsoIfItIsHeld) {
  Push(10);
  Push(12);
  const Answer again = Push(12);
  EXPECT_EQ(again.outcome, Outcome::kDuplicate);
  EXPECT_EQ(again.quality, quality::kHeld);
  EXPECT_EQ(again.steps, 1u);
  EXPECT_FALSE(HasForecast(again));
  EXPECT_EQ(PushValues(12, {21, 50}).outcome, Outcome::kConflict);
  const std::vector<float> values = {20, 50};
  for (const std::int64_t nearly : {-kSecond / 2 + 1, -1l, 1l, kSecond / 2 - 1}) {
    EXPECT_EQ(stream_.Push({12 * kSecond + nearly, values}, kLatest).outcome, Outcome::kLate) << nearly;
  }
  EXPECT_EQ(held(), 1u);
  EXPECT_EQ(stream_.Push({12 * kSecond + kSecond / 2, values}, kLatest).quality, quality::kHeld);
  EXPECT_EQ(PushValues(13, {kNaN, INFINITY}).outcome, Outcome::kInvalid);
  EXPECT_EQ(held(), 2u);
}

TEST_F(ReorderTest, NoMoreAreHeldThanTheWindowHasTicks) {
  Push(10);
  const auto push = [&](std::int64_t halves) {
    return stream_.Push({halves * (kSecond / 2), ValuesOf(halves)}, kLatest);
  };
  for (const std::int64_t halves : {24, 25, 26}) EXPECT_EQ(push(halves).quality, quality::kHeld);
  EXPECT_EQ(push(27).quality & quality::kHeld, 0) << "the oldest gave way, and the others were next";
  EXPECT_EQ(held(), 0u);
  EXPECT_EQ(stream_.header().steps, 6u);
}

TEST_F(ReorderTest, ALongJumpStepsWhatIsHeldAndBeginsAnewAtOnce) {
  for (const std::int64_t tick : {10, 12, 13}) Push(tick);
  const Answer answer = Push(13 + 3 + 1 + 3 + 1);  // bridge limit, window
  for (const std::int64_t tick : {10, 12, 13}) PushInOrder(tick);
  const Answer expected = PushInOrder(21);
  EXPECT_EQ(answer.quality, quality::kCold | quality::kRestarted);
  EXPECT_EQ(Bits(answer.forecast), Bits(expected.forecast));
  ExpectSameState(plain_, stream_, in_order_);
}

TEST_F(ReorderTest, AShorterJumpBeginsAnewWhenNothingCanComeBetween) {
  Push(10);
  EXPECT_EQ(Push(17).quality, quality::kHeld);  // six are missing, of which 14 to 16 may come yet
  EXPECT_EQ(Push(18).quality, quality::kHeld);
  EXPECT_EQ(Push(19).quality, quality::kHeld);
  const Answer answer = Push(20);
  EXPECT_EQ(answer.steps, 4u);
  for (const std::int64_t tick : {10, 17, 18, 19, 20}) PushInOrder(tick);
  ExpectSameState(plain_, stream_, in_order_);
}

TEST_F(ReorderTest, NumbersMayRunAgainstTime) {
  EXPECT_EQ(Push(10, 1).sequence, 1u);
  EXPECT_EQ(Push(13, 2).sequence, 2u) << "a number is taken when its reading is held";
  EXPECT_EQ(Push(11, 4).outcome, Outcome::kSequenceGap);
  EXPECT_EQ(Push(12, 3).quality, quality::kHeld);

  EXPECT_EQ(Push(12, 3).quality, quality::kHeld) << "a retry of the last number";
  EXPECT_EQ(Push(12, 3).outcome, Outcome::kDuplicate);
  EXPECT_EQ(Push(13, 2).outcome, Outcome::kDuplicate);
  EXPECT_EQ(Push(13, 2).quality, quality::kHeld);
  EXPECT_EQ(PushValues(12, {21, 50}, 3).outcome, Outcome::kConflict);
  EXPECT_EQ(Push(14, 3).outcome, Outcome::kConflict);

  EXPECT_TRUE(HasForecast(Push(11, 4)));
  EXPECT_EQ(held(), 0u);
  const Answer filled = Push(11, 4);
  EXPECT_EQ(filled.outcome, Outcome::kDuplicate) << "the last number, but not the last reading";
  EXPECT_FALSE(HasForecast(filled));
  EXPECT_EQ(PushValues(11, {21, 50}, 4).outcome, Outcome::kConflict);
  EXPECT_FALSE(HasForecast(Push(12, 3)));
  const Answer last = Push(13, 2);
  EXPECT_EQ(last.outcome, Outcome::kDuplicate);
  EXPECT_TRUE(HasForecast(last)) << "the last by time";
  EXPECT_EQ(Push(14, 5).outcome, Outcome::kApplied);
  EXPECT_EQ(PushValues(14, {21, 50}, 5).outcome, Outcome::kConflict);
}

TEST_F(ReorderTest, AnotherReadingForAHeldTickUsesItsNumberUp) {
  Push(10, 1);
  Push(12, 2);
  EXPECT_EQ(Push(12, 3).outcome, Outcome::kLate);
  EXPECT_EQ(Push(12, 3).outcome, Outcome::kLate) << "its outcome stays what it was";
  EXPECT_EQ(Push(12, 2).outcome, Outcome::kDuplicate);
  EXPECT_EQ(Push(11, 4).outcome, Outcome::kApplied);
  EXPECT_EQ(Push(13, 5).steps, 4u);
}

TEST_F(ReorderTest, TheLastNumberIsKnownAlsoAfterARestartOfAHeldReading) {
  Push(10, 1);
  Push(17, 2);
  EXPECT_TRUE(HasForecast(Push(11, 3)));
  EXPECT_EQ(Push(18).quality, quality::kHeld);
  EXPECT_EQ(Push(20).quality, quality::kHeld);
  EXPECT_EQ(stream_.header().timestamp_ns, 18 * kSecond) << "17 began anew, 18 was next, 20 waits";
  EXPECT_EQ(stream_.header().steps, 2u);
  EXPECT_EQ(Push(11, 3).outcome, Outcome::kDuplicate);
  EXPECT_EQ(PushValues(11, {21, 50}, 3).outcome, Outcome::kConflict);
  EXPECT_EQ(Push(19, 4).sequence, 4u);
}

TEST_F(ReorderTest, AGapInTheNumbersIsToldInTheAnswerOfAHeldReading) {
  Push(10, 1);
  const std::vector<float> values = ValuesOf(12);
  const Answer answer = stream_.Push({12 * kSecond, values, 5, true}, kLatest);
  EXPECT_EQ(answer.quality, quality::kHeld | quality::kGap);
  EXPECT_EQ(answer.sequence, 5u);
  EXPECT_EQ(Push(11, 6).quality & quality::kGap, 0);
}

TEST_F(ReorderTest, AStateWithHeldReadingsIsAStateAndGoesOnAsItWas) {
  for (const std::int64_t tick : {10, 12, 14}) Push(tick);
  EXPECT_TRUE(IsStream(*model_, stream_.header(), stream_.floats()));
  ReplayedStream copy(model_, stream_.header(), stream_.floats());
  for (const std::int64_t tick : {11, 13, 16, 15}) {
    const Answer a = Push(tick);
    const Answer b = copy.Push({tick * kSecond, ValuesOf(tick)}, kLatest);
    EXPECT_EQ(Bits(a.forecast), Bits(b.forecast));
    EXPECT_EQ(a.quality, b.quality);
  }
  EXPECT_EQ(Bits(stream_.floats()), Bits(copy.floats()));
}

TEST_F(ReorderTest, EntriesThatNoStreamCanHoldAreNoState) {
  for (const std::int64_t tick : {10, 12, 14}) Push(tick);
  const std::size_t begin = model_->layout().held, width = model_->layout().held_width;
  const auto with = [&](std::size_t at, float v) {
    std::vector<float> floats = stream_.floats();
    floats[begin + at] = v;
    return IsStream(*model_, stream_.header(), floats);
  };
  EXPECT_FALSE(with(0, -1));
  EXPECT_FALSE(with(1, 0.5f));
  EXPECT_FALSE(with(2, 2097152.0f));
  EXPECT_FALSE(with(0, kNaN)) << "an entry behind an empty one";
  EXPECT_FALSE(with(2 * width, 0)) << "not later than the one before";
  EXPECT_FALSE(with(3, INFINITY));
  EXPECT_TRUE(with(3, kNaN)) << "a missing value";
  StreamHeader later = stream_.header();
  later.timestamp_ns = 12 * kSecond;
  EXPECT_FALSE(IsStream(*model_, later, stream_.floats()));
  later = stream_.header();
  later.refused = Outcome::kApplied;
  EXPECT_TRUE(IsStream(*model_, later, stream_.floats()));
  PushInOrder(10);
  EXPECT_TRUE(IsStream(*plain_, in_order_.header(), in_order_.floats()));
  later.refused = Outcome::kConflict;
  EXPECT_FALSE(IsStream(*model_, later, stream_.floats()));
}

TEST_F(ReorderTest, AWindowCostsFloatsForItsReadingsAndNoneWithout) {
  EXPECT_EQ(plain_->layout().held, plain_->layout().floats);
  EXPECT_EQ(model_->layout().floats, plain_->layout().floats + 3 * HeldReadings::Width(2));
}

TEST(HeldReadingsTest, KeepTimesToTheNanosecondInTheirOrder) {
  ModelSpec spec = TinySpec();
  spec.reorder_window = 4;
  std::vector<float> entries(4 * HeldReadings::Width(2));
  ClearHeld(spec, entries.data());
  const HeldReadings held(spec, entries.data());
  EXPECT_TRUE(held.empty());
  const std::int64_t most = std::numeric_limits<std::int64_t>::max();
  const std::vector<std::int64_t> times = {0, 1'700'000'000'123'456'789, most - 2 * kSecond, most};
  for (const std::size_t i : {2, 0, 3, 1}) {
    InsertHeld(spec, entries.data(), times[i], std::vector<float>{static_cast<float>(i), kNaN});
  }
  ASSERT_EQ(held.size(), 4u);
  for (std::size_t i = 0; i < 4; ++i) {
    EXPECT_EQ(held.timestamp_ns(i), times[i]);
    EXPECT_EQ(held.values(i)[0], static_cast<float>(i));
  }
  EXPECT_EQ(held.SameTick(most - kSecond / 3), 3u);
  EXPECT_EQ(held.SameTick(2 * kSecond), std::nullopt);
  RemoveOldestHeld(spec, entries.data());
  EXPECT_EQ(held.size(), 3u);
  EXPECT_EQ(held.timestamp_ns(0), times[1]);
}

// A network whose projection makes infinity of what it is given, from the second step on.
TEST(HeldPoisonTest, AHeldReadingThatWouldSpoilTheStateIsDropped) {
  ModelSpec spec = TinySpec(LayerKind::kLstm, 4);
  spec.layers[0].projection = 2;
  spec.reorder_window = 3;
  Tensors tensors = TinyTensors(spec);
  for (float& v : tensors["layers.0.weight_hr"].values) v = 3e38f;
  ReplayedStream stream(*Model::Create(spec, tensors));
  const std::vector<float> values = {200, -50};
  const auto push = [&](std::int64_t tick) { return stream.Push({tick * kSecond, values}, kLatest); };
  ASSERT_EQ(push(1).outcome, Outcome::kApplied);
  std::int64_t poisoned = 2;  // the first tick that cannot be taken
  for (; push(poisoned).outcome == Outcome::kApplied; ++poisoned) ASSERT_LT(poisoned, 20);
  const std::uint32_t steps = stream.header().steps;
  EXPECT_EQ(push(poisoned + 1).quality, quality::kHeld);
  EXPECT_EQ(push(poisoned + 3).quality, quality::kHeld);
  const Answer answer = push(poisoned + 4);
  EXPECT_EQ(answer.quality, quality::kHeld);
  EXPECT_EQ(stream.header().steps, steps);
  EXPECT_EQ(stream.header().timestamp_ns, (poisoned - 1) * kSecond);
}

}  // namespace
}  // namespace tidegate
