// What a reading costs in heap allocations once all buffers have grown: nothing.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "server/shard/shard.h"
#include "tests/support/allocations.h"
#include "tests/support/shard_message.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

TEST(AllocationsTest, AreCounted) {
  const std::uint64_t before = Allocations();
  const auto number = std::make_unique<int>(1);
  const std::vector<std::string> names(2, std::string(100, static_cast<char>('a' + *number)));
  EXPECT_EQ(Allocations() - before, 5u);
}

class ShardAllocationTest : public testing::TestWithParam<std::size_t> {
 protected:
  void Answer(ShardMessage& message, std::int64_t second) {
    message.Admit(second, shard_);
    done_.clear();
    while (!shard_.idle()) shard_.Run(done_);
  }

  const std::vector<std::shared_ptr<const Model>> models_ = {TinyModel()};
  ShardMetrics metrics_{1};
  StreamBudget budget_{1000};
  Shard shard_{models_, budget_, metrics_};
  std::vector<Work*> done_;
};

TEST_P(ShardAllocationTest, AWarmShardTakesAndAnswersReadingsWithoutAny) {
  ShardMessage message(GetParam(), models_[0]->spec());
  for (std::int64_t t = 1; t <= 20; ++t) Answer(message, t);
  const std::uint64_t before = Allocations();
  for (std::int64_t t = 21; t <= 220; ++t) Answer(message, t);
  EXPECT_EQ(Allocations() - before, 0u);
  EXPECT_EQ(message.outcome(), Outcome::kApplied);
  EXPECT_EQ(metrics_.models[0].readings[1].value(), 220 * GetParam());
}

TEST_P(ShardAllocationTest, NorDoMissingRepeatedAndLateReadingsCostAny) {
  ShardMessage message(GetParam(), models_[0]->spec());
  const auto answer = [&](std::int64_t t) {
    Answer(message, 5 * t);
    Answer(message, 5 * t + 3);  // two are missing
    Answer(message, 5 * t + 3);
    Answer(message, 5 * t);
  };
  for (std::int64_t t = 1; t <= 20; ++t) answer(t);
  const std::uint64_t before = Allocations();
  for (std::int64_t t = 21; t <= 40; ++t) answer(t);
  EXPECT_EQ(Allocations() - before, 0u);
  EXPECT_EQ(metrics_.models[0].readings[1].value(), 80 * GetParam());
  EXPECT_EQ(metrics_.models[0].readings[2].value(), 40 * GetParam());
  EXPECT_EQ(metrics_.models[0].readings[4].value(), 40 * GetParam());
}

TEST_P(ShardAllocationTest, NorDoReadingsThatWaitForOthers) {
  ModelSpec spec = TinySpec();
  spec.reorder_window = 2;
  const std::shared_ptr<const Model> model = TinyModel(spec);
  ShardMetrics metrics(1);
  StreamBudget budget(1000);
  Shard shard(std::span(&model, 1), budget, metrics);
  ShardMessage message(GetParam(), spec);
  const auto answer = [&](std::int64_t t) {
    message.Admit(t, shard);
    done_.clear();
    while (!shard.idle()) shard.Run(done_);
  };
  answer(0);
  const auto shuffled = [&](std::int64_t t) {
    for (const std::int64_t next : {3, 2, 1, 5, 7}) answer(7 * t + next);  // 4 and 6 are missing
  };
  for (std::int64_t t = 0; t < 10; ++t) shuffled(t);
  const std::uint64_t before = Allocations();
  for (std::int64_t t = 10; t < 30; ++t) shuffled(t);
  EXPECT_EQ(Allocations() - before, 0u);
  EXPECT_EQ(metrics.models[0].readings[1].value(), 151 * GetParam());
}

INSTANTIATE_TEST_SUITE_P(Readings, ShardAllocationTest, testing::Values(1, 64, 256, 1000));

}  // namespace
}  // namespace tidegate
