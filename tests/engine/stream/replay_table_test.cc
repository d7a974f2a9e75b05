// The replay of many streams at once answers what ReplayedStream answers to each alone.
#include "tests/support/replay_table.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <deque>
#include <limits>
#include <random>
#include <vector>

#include "engine/stream/replay.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kLatest = 1000 * kSecond;
constexpr float kNaN = std::numeric_limits<float>::quiet_NaN();

std::vector<std::uint32_t> Bits(std::span<const float> values) {
  std::vector<std::uint32_t> bits;
  for (const float v : values) bits.push_back(std::isnan(v) ? 0x7fc00000 : std::bit_cast<std::uint32_t>(v));
  return bits;
}

// Readings near each stream's time: often the next one, else again, late, after a gap, incomplete, infinite.
TEST(ReplayTableTest, AnswersAreThoseOfEachStreamAlone) {
  constexpr std::size_t kStreams = 20;
  ModelSpec spec = TinySpec(LayerKind::kLstm);
  spec.cycle = 5;
  const auto model = TinyModel(spec);
  ReplayTable table(model, kStreams);
  std::deque<ReplayedStream> alone;
  for (std::size_t s = 0; s < kStreams; ++s) alone.emplace_back(model);
  std::vector<std::int64_t> ticks(kStreams);
  std::mt19937 random(3);
  std::vector<int> seen(9);
  for (int message = 0; message < 200; ++message) {
    std::vector<std::vector<float>> values;
    std::vector<ReplayTable::Sent> sent;
    for (std::size_t i = random() % 60; i > 0; --i) {
      const std::uint32_t s = random() % kStreams;
      const std::uint32_t lot = random() % 10;
      if (lot >= 3) ++ticks[s];
      if (lot == 3) ticks[s] += random() % 7;
      values.push_back({20 + static_cast<float>(ticks[s] % 7), lot == 1 ? 51.0f : 50.0f});
      if (lot == 4) values.back()[random() % 2] = kNaN;
      if (lot == 2) values.back()[0] = std::numeric_limits<float>::infinity();
      sent.push_back({s, {.timestamp_ns = (ticks[s] - (lot == 2 ? 1 : 0)) * kSecond, .values = {}}});
    }
    for (std::size_t i = 0; i < sent.size(); ++i) sent[i].reading.values = values[i];
    const ReplayTable::Answers& answers = table.Push(sent, kLatest);
    for (std::size_t i = 0; i < sent.size(); ++i) {
      const auto expected = alone[sent[i].stream].Push(sent[i].reading, kLatest);
      ++seen[static_cast<std::size_t>(expected.outcome)];
      ASSERT_EQ(answers.outcome[i], expected.outcome);
      ASSERT_EQ(answers.reason[i], expected.reason);
      ASSERT_EQ(Bits({&answers.forecast[i * spec.outputs()], spec.outputs()}), Bits(expected.forecast));
      ASSERT_EQ(Bits({&answers.anomaly_score[i], 1}), Bits({&expected.anomaly_score, 1}));
      ASSERT_EQ(answers.steps[i], expected.steps);
      ASSERT_EQ(answers.quality[i], expected.quality);
    }
  }
  for (const Outcome outcome :
       {Outcome::kApplied, Outcome::kDuplicate, Outcome::kConflict, Outcome::kInvalid}) {
    EXPECT_GT(seen[static_cast<std::size_t>(outcome)], 20);
  }
}

}  // namespace
}  // namespace tidegate
