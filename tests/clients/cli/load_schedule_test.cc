#include "clients/cli/load_schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace tidegate {
namespace {

using std::chrono::nanoseconds;

TEST(LoadScheduleTest, FixedArrivalsAreEvenlySpacedAndDoNotDrift) {
  LoadSchedule schedule(3, false, 1);
  EXPECT_EQ(schedule.Next(), nanoseconds(0));
  EXPECT_EQ(schedule.Next(), nanoseconds(333'333'333));
  EXPECT_EQ(schedule.Next(), nanoseconds(666'666'666));
  for (int i = 3; i < 3'000'000; ++i) schedule.Next();
  EXPECT_EQ(schedule.Next(), std::chrono::seconds(1'000'000));
}

TEST(LoadScheduleTest, PoissonGapsHaveTheMeanAndTheDeviationOfTheRate) {
  LoadSchedule schedule(1000, true, 7);
  constexpr int kMessages = 100'000;
  double before = 0, sum = 0, squares = 0;
  for (int i = 0; i < kMessages; ++i) {
    const double now = 1e-9 * static_cast<double>(schedule.Next().count());
    ASSERT_GE(now, before);
    sum += now - before;
    squares += (now - before) * (now - before);
    before = now;
  }
  const double mean = sum / kMessages;
  EXPECT_NEAR(mean, 1e-3, 2e-5);  // six deviations of the mean of so many gaps
  EXPECT_NEAR(std::sqrt(squares / kMessages - mean * mean), 1e-3, 4e-5);
}

TEST(LoadScheduleTest, EqualSeedsGiveEqualTimes) {
  LoadSchedule one(100, true, 5), same(100, true, 5), other(100, true, 6);
  EXPECT_EQ(one.Next(), same.Next());
  EXPECT_EQ(one.Next(), same.Next());
  EXPECT_NE(one.Next(), (other.Next(), other.Next(), other.Next()));
}

}  // namespace
}  // namespace tidegate
