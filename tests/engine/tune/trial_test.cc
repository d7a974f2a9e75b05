#include "engine/tune/trial.h"

#include <gtest/gtest.h>

#include <cmath>

#include "engine/train/random.h"

namespace tidegate {
namespace {

std::vector<Series> Waves() {
  Random random(7);
  Series series;
  series.stream = "waves";
  series.features = 1;
  for (int i = 0; i < 1'500; ++i) {
    series.values.push_back(static_cast<float>(std::sin(0.15 * i)) + random.Uniform(0.1f));
    series.scored.push_back(true);
  }
  return {series};
}

TrainOptions Brief() {
  TrainOptions options;
  options.interval_ns = 1'000'000'000;
  options.features = {"height"};
  options.horizon = 8;
  options.warm_up = 16;
  return options;
}

TEST(TrialTest, TrainsOnFromWhereItEnded) {
  const std::vector<Series> series = Waves();
  Candidate candidate = DefaultOf(Family::kCnnGru);
  candidate.units = 8;
  const auto first = TrainFor(0, series, Brief(), candidate);  // one epoch
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_EQ(first->epochs, 1U);
  EXPECT_GT(first->update_seconds, 0);
  auto on = first;
  for (int i = 0; i < 5; ++i) {
    const auto next = TrainFor(0, series, Brief(), candidate, &on->checkpoint);
    ASSERT_TRUE(next.ok()) << next.status();
    EXPECT_EQ(next->epochs, on->epochs + 1);
    on = next;
  }
  EXPECT_LT(on->loss, first->loss);
  EXPECT_EQ(on->model.spec.layers.front().kind, LayerKind::kConv1d);
}

TEST(TrialTest, WhatHasLearntAllItCanStaysAsItIs) {
  const std::vector<Series> series = Waves();
  auto first = TrainFor(0, series, Brief(), DefaultOf(Family::kGru));
  ASSERT_TRUE(first.ok()) << first.status();
  first->checkpoint.epoch += 1'000;  // none was better since
  const auto on = TrainFor(0, series, Brief(), DefaultOf(Family::kGru), &first->checkpoint);
  ASSERT_TRUE(on.ok()) << on.status();
  EXPECT_EQ(on->loss, first->loss);
  EXPECT_EQ(on->epochs, first->checkpoint.epoch);
}

TEST(TrialTest, EndsAtOnceWhenAsked) {
  const auto ended = TrainFor(60, Waves(), Brief(), DefaultOf(Family::kGru), nullptr, [] { return false; });
  EXPECT_TRUE(absl::IsCancelled(ended.status())) << ended.status();
}

TEST(TrialTest, WhatIsEndedAfterSomeEpochsIsNotTakenForTrained) {
  std::size_t batches = 0;
  const auto count = [&batches] { return ++batches > 0; };
  ASSERT_TRUE(TrainFor(0, Waves(), Brief(), DefaultOf(Family::kGru), nullptr, count).ok());  // one epoch
  std::size_t left = batches + 1;
  const auto ended =
      TrainFor(60, Waves(), Brief(), DefaultOf(Family::kGru), nullptr, [&left] { return left-- > 0; });
  EXPECT_TRUE(absl::IsCancelled(ended.status())) << ended.status();
}

TEST(TrialTest, ACheckpointOfAnotherCandidateIsRefused) {
  const std::vector<Series> series = Waves();
  const auto first = TrainFor(0, series, Brief(), DefaultOf(Family::kGru));
  ASSERT_TRUE(first.ok());
  EXPECT_TRUE(absl::IsInvalidArgument(
      TrainFor(0, series, Brief(), DefaultOf(Family::kLstm), &first->checkpoint).status()));
}

}  // namespace
}  // namespace tidegate
