// The stream contract against a plain model of it, written from the tables of README.md alone: random
// schedules of readings, retries, gaps, late, future and broken readings and resets have the outcomes that
// the tables say, and the forecasts of a stream that was sent the accepted readings and nothing else.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "engine/stream/replay.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kLatest = 100'000 * kSecond;

struct Sent {
  std::int64_t time;
  std::vector<float> values;
  std::uint64_t number = 0;  // 0: none
  bool accept_gap = false;
};

bool Same(float a, float b) { return (std::isnan(a) && std::isnan(b)) || a == b; }
bool Same(const Sent& a, const Sent& b) {
  return a.time == b.time && Same(a.values[0], b.values[0]) && Same(a.values[1], b.values[1]);
}

struct Expected {
  Outcome outcome = {};
  Reason reason = Reason::kNone;
  bool forecast = false;  // there is one
  std::uint32_t steps = 0;
  std::uint32_t quality = 0;
};

// A stream as the tables have it: what it has applied last, and which number it has taken last.
class Tables {
 public:
  Expected Push(const Sent& sent) {
    if (sent.number == 0) return ByTime(sent);
    if (sent.number <= number_) return Retry(sent);
    if (sent.number > number_ + 1 && !sent.accept_gap)
      return {.outcome = number_ > 0 || last_ ? Outcome::kSequenceGap : Outcome::kUnknownStream};
    const bool gap = sent.number > number_ + 1;
    Expected expected = ByTime(sent);
    number_ = sent.number;
    if (expected.outcome != Outcome::kApplied) {
      refused_ = {sent, expected};
    } else if (gap) {
      expected.quality |= quality::kGap;
      quality_ = expected.quality;
    }
    return expected;
  }

  std::uint64_t number() const { return number_; }

 private:
  Expected ByTime(const Sent& sent) {
    for (const float v : sent.values) {
      if (std::isinf(v)) return {.outcome = Outcome::kInvalid, .reason = Reason::kInfiniteValue};
    }
    if (sent.time < 0) return {.outcome = Outcome::kInvalid, .reason = Reason::kNegativeTimestamp};
    if (sent.time > kLatest) return {.outcome = Outcome::kInvalid, .reason = Reason::kFutureTimestamp};
    if (!last_) return Apply(sent, 1, 0);
    if (sent.time == last_->time && sent.number == 0) {
      return Same(sent, *last_) ? Again() : Expected{.outcome = Outcome::kConflict};
    }
    // k = round((t - t_last) / interval)
    const double ticks = std::floor(static_cast<double>(sent.time - last_->time) / kSecond + 0.5);
    if (ticks < 1) return {.outcome = Outcome::kLate};
    const auto missing = static_cast<std::uint32_t>(ticks) - 1;
    if (missing > 3) return Apply(sent, 1, quality::kRestarted);  // TinySpec bridges three
    return Apply(sent, steps_ + missing + 1, missing > 0 ? quality::kBridged : 0);
  }

  Expected Retry(const Sent& sent) {
    if (sent.number == number_ && refused_) {
      if (Same(sent, refused_->sent)) return refused_->answer;
      return {.outcome = Outcome::kConflict};
    }
    const bool applied_last = last_ && Same(sent, *last_);
    if (sent.number == number_ && !applied_last) return {.outcome = Outcome::kConflict};
    return applied_last ? Again() : Expected{.outcome = Outcome::kDuplicate};
  }

  Expected Apply(const Sent& sent, std::uint32_t steps, std::uint32_t flags) {
    last_ = sent;
    refused_.reset();
    steps_ = steps;
    quality_ = flags | (steps < 4 ? quality::kCold : 0u);  // TinySpec is warm after four
    if (std::isnan(sent.values[0]) || std::isnan(sent.values[1])) quality_ |= quality::kImputed;
    return {.outcome = Outcome::kApplied, .forecast = true, .steps = steps_, .quality = quality_};
  }

  Expected Again() const {
    return {.outcome = Outcome::kDuplicate, .forecast = true, .steps = steps_, .quality = quality_};
  }

  struct Refused {
    Sent sent;
    Expected answer;
  };
  std::optional<Sent> last_;
  std::uint32_t steps_ = 0, quality_ = 0;
  std::uint64_t number_ = 0;
  std::optional<Refused> refused_;  // what has the last number, if that is no applied reading
};

// What a client may send next, of a sensor that has sent `history`: mostly the next reading.
Sent Next(const std::vector<Sent>& history, bool numbered, std::mt19937& random) {
  const auto chance = [&](int percent) { return static_cast<int>(random() % 100) < percent; };
  const auto number = [&](std::size_t back) {
    const std::uint64_t last = history.empty() ? 0 : history.back().number;
    return last > back ? last - back : last + 1;
  };
  std::int64_t last = 50 * kSecond;
  for (const Sent& sent : history) {
    if (sent.time <= kLatest) last = std::max(last, sent.time);
  }
  std::uniform_real_distribution<float> value(15, 60);
  Sent next = {.time = last + kSecond, .values = {value(random), value(random)}};
  if (numbered) next.number = number(0) + (history.empty() ? 0 : 1);
  if (chance(8)) next.time += static_cast<std::int64_t>(random() % 7) * kSecond;  // some are missing
  if (chance(10)) next.time += static_cast<std::int64_t>(random() % 1'000) * 1'000'000 - kSecond / 2;
  if (chance(8)) next.values[random() % 2] = std::numeric_limits<float>::quiet_NaN();
  if (chance(4)) next.values[random() % 2] = std::numeric_limits<float>::infinity();
  if (chance(2)) next.time = -1 - static_cast<std::int64_t>(random() % 100);
  if (chance(2)) next.time = kLatest + 1 + static_cast<std::int64_t>(random() % 100);
  if (chance(8)) next.time = last - static_cast<std::int64_t>(random() % 3) * kSecond;  // late
  if (numbered && chance(6)) next.number += 1 + random() % 3;                           // a gap
  next.accept_gap = chance(50);
  if (!history.empty() && chance(20)) {  // a retry
    next = history[history.size() - 1 - random() % std::min<std::size_t>(history.size(), 4)];
    if (chance(20)) next.values[1] += 1;  // or something that looks like one
    if (numbered && chance(10)) next.time += kSecond;
  }
  return next;
}

class ContractTest : public testing::TestWithParam<bool> {};

TEST_P(ContractTest, RandomSchedulesHaveTheOutcomesOfTheTablesAndTheBitsOfTheAcceptedReadings) {
  const std::shared_ptr<const Model> model = TinyModel();
  std::mt19937 random(GetParam() ? 1 : 2);
  std::vector<int> seen(9, 0);
  for (int stream = 0; stream < 60; ++stream) {
    Tables tables;
    ReplayedStream tested(model), straight(model);
    std::vector<float> last_forecast;
    std::vector<Sent> history;
    for (int i = 0; i < 300; ++i) {
      if (random() % 100 == 0) {  // a reset
        tables = Tables();
        tested = ReplayedStream(model);
        straight = ReplayedStream(model);
        history.clear();
      }
      const Sent sent = Next(history, GetParam(), random);
      history.push_back(sent);
      const auto answer = tested.Push({sent.time, sent.values, sent.number, sent.accept_gap}, kLatest);
      const Expected expected = tables.Push(sent);
      ASSERT_EQ(answer.outcome, expected.outcome) << "stream " << stream << " reading " << i;
      ASSERT_EQ(answer.reason, expected.reason);
      ASSERT_EQ(answer.sequence, tables.number());
      ++seen[static_cast<std::size_t>(answer.outcome)];
      if (!expected.forecast) {
        EXPECT_EQ(answer.steps, 0u);
        EXPECT_THAT(answer.forecast, testing::Each(testing::IsNan()));
        continue;
      }
      ASSERT_EQ(answer.steps, expected.steps);
      ASSERT_EQ(answer.quality, expected.quality);
      if (answer.outcome == Outcome::kApplied)
        last_forecast = straight.Push({sent.time, sent.values}, kLatest).forecast;
      for (std::size_t k = 0; k < last_forecast.size(); ++k) {
        if (std::isnan(last_forecast[k])) {
          ASSERT_TRUE(std::isnan(answer.forecast[k]));
        } else {
          ASSERT_EQ(std::bit_cast<std::uint32_t>(answer.forecast[k]),
                    std::bit_cast<std::uint32_t>(last_forecast[k]));
        }
      }
    }
  }
  const std::vector<Outcome> all = {Outcome::kApplied, Outcome::kDuplicate, Outcome::kConflict,
                                    Outcome::kLate, Outcome::kInvalid};
  for (const Outcome outcome : all) EXPECT_GT(seen[static_cast<std::size_t>(outcome)], 100);
  if (GetParam()) {
    EXPECT_GT(seen[static_cast<std::size_t>(Outcome::kSequenceGap)], 100);
    EXPECT_GT(seen[static_cast<std::size_t>(Outcome::kUnknownStream)], 5);
  }
}

INSTANTIATE_TEST_SUITE_P(Numbered, ContractTest, testing::Bool());

}  // namespace
}  // namespace tidegate
