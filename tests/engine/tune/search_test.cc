#include "engine/tune/search.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <vector>

namespace tidegate {
namespace {

// A world in which a candidate's loss is known: wide networks and a rate of 5e-3 are good, training helps.
double LossOf(const Candidate& candidate, std::size_t rung) {
  const double size = std::abs(static_cast<double>(candidate.units) - 96) / 96;
  const double rate = std::abs(std::log(candidate.learning_rate / 5e-3));
  const double family = candidate.family == Family::kGluGru ? 0 : 0.3;
  return 1 + size + rate + family + (candidate.level_inputs ? 0 : 0.5) + 0.5 / static_cast<double>(rung + 1);
}

struct Course {
  std::vector<Search::Task> tasks;
  double seconds = 0;
};

// One thread, whose trainings take as long as they were asked to.
Course RunSearch(Search& search) {
  Course run;
  while (const auto task = search.Next(run.seconds)) {
    run.seconds += task->seconds;
    run.tasks.push_back(*task);
    search.Report(task->trial, task->rung, LossOf(search.trials()[task->trial].candidate, task->rung));
  }
  return run;
}

TEST(SearchTest, BeginsWithTheDefaultsOfAllFamilies) {
  Search search({.seconds = 1e6});
  for (const Family family : kFamilies) {
    const auto task = search.Next(0);
    ASSERT_TRUE(task);
    EXPECT_EQ(task->rung, 0U);
    EXPECT_EQ(search.trials()[task->trial].candidate, DefaultOf(family));
  }
}

TEST(SearchTest, KeepsToItsTime) {
  Search search({.seconds = 600});
  const Course run = RunSearch(search);
  EXPECT_GT(run.seconds, 570);
  EXPECT_LT(run.seconds, 600 + search.SecondsTo(Search::kRungs - 1) / 2);
}

TEST(SearchTest, TrainsOnlyTheBetterThirdLonger) {
  Search search({.seconds = 2'000});
  RunSearch(search);
  std::size_t before = search.trials().size();
  for (std::size_t rung = 1; rung < Search::kRungs; ++rung) {
    const auto reached = static_cast<std::size_t>(std::ranges::count_if(
        search.trials(), [&](const auto& trial) { return trial.losses.size() > rung; }));
    EXPECT_GT(reached, 0U);
    // As many as were among the best third at some time.
    EXPECT_LE(reached, before * 2 / 3) << rung;
    before = reached;
  }
  EXPECT_DOUBLE_EQ(search.SecondsTo(3), 27 * search.SecondsTo(0));
}

TEST(SearchTest, FindsWhatIsBetterThanEveryDefault) {
  double least = std::numeric_limits<double>::infinity();
  for (const Family family : kFamilies)
    least = std::min(least, LossOf(DefaultOf(family), Search::kRungs - 1));
  double sum = 0;
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    Search search({.seed = seed, .seconds = 600});
    RunSearch(search);
    ASSERT_TRUE(search.best());
    const double found = search.trials()[*search.best()].losses.back();
    EXPECT_LE(found, least) << seed;
    sum += found;
  }
  EXPECT_LT(sum / 20, 0.75 * least);
}

TEST(SearchTest, WhatHasFailedIsNotAskedForAgain) {
  Search search({.seconds = 200});
  std::set<std::size_t> failed;
  double seconds = 0;
  while (const auto task = search.Next(seconds)) {
    EXPECT_FALSE(failed.contains(task->trial));
    seconds += task->seconds;
    const bool fails = task->trial % 2 == 0;
    if (fails) failed.insert(task->trial);
    search.Report(task->trial, task->rung,
                  fails ? std::numeric_limits<double>::infinity()
                        : LossOf(search.trials()[task->trial].candidate, task->rung));
  }
  ASSERT_TRUE(search.best());
  EXPECT_FALSE(failed.contains(*search.best()));
}

TEST(SearchTest, GoesOnFromAnEarlierRun) {
  Search whole({.seconds = 600});
  const Course run = RunSearch(whole);
  Search first({.seconds = 600});
  double seconds = 0;
  while (seconds < 200) {
    const auto task = first.Next(seconds);
    ASSERT_TRUE(task);
    seconds += task->seconds;
    first.Report(task->trial, task->rung, LossOf(first.trials()[task->trial].candidate, task->rung));
  }
  Search second({.seconds = 600});
  for (const Search::Trial& trial : first.trials()) second.Restore(trial);
  while (const auto task = second.Next(seconds)) {
    seconds += task->seconds;
    second.Report(task->trial, task->rung, LossOf(second.trials()[task->trial].candidate, task->rung));
  }
  ASSERT_EQ(second.trials().size(), whole.trials().size());
  for (std::size_t t = 0; t < whole.trials().size(); ++t) {
    EXPECT_EQ(second.trials()[t].candidate, whole.trials()[t].candidate) << t;
    EXPECT_EQ(second.trials()[t].losses, whole.trials()[t].losses) << t;
  }
  EXPECT_DOUBLE_EQ(seconds, run.seconds);
}

TEST(SearchTest, AKnownCandidateWithoutLossesBeginsAnew) {
  Search search({.seconds = 600});
  for (const Family family : kFamilies)
    search.Restore({.candidate = DefaultOf(family), .origin = "default", .losses = {1.0}});
  Candidate drawn = DefaultOf(Family::kGru);
  drawn.context = 99;
  search.Restore({.candidate = drawn, .origin = "random"});
  bool again = false;
  for (int i = 0; i < 20 && !again; ++i) {
    const auto task = search.Next(10);
    ASSERT_TRUE(task);
    again = task->trial == std::size(kFamilies);
  }
  EXPECT_TRUE(again);
  EXPECT_EQ(search.trials()[std::size(kFamilies)].candidate, drawn);
}

TEST(SearchTest, ADefaultThatHadNotEndedBeginsAnew) {
  Search search({.seconds = 600});
  search.Restore({.candidate = DefaultOf(Family::kLstm), .origin = "default", .losses = {1.0}});
  search.Restore({});
  search.Restore({.candidate = DefaultOf(Family::kLayerNormLstm), .origin = "default", .losses = {1.0}});
  const auto task = search.Next(10);
  ASSERT_TRUE(task);
  EXPECT_EQ(task->trial, 1U);
  EXPECT_EQ(search.trials()[1].candidate, DefaultOf(Family::kPeepholeLstm));
}

}  // namespace
}  // namespace tidegate
