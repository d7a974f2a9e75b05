#include "clients/cli/grid.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::IsNan;

// One stream with one feature whose value is the time in tenths of an interval.
Readings At(const std::vector<int>& tenths, const std::vector<std::string>& label = {}) {
  Readings readings;
  readings.features = {"v"};
  readings.interval_ns = 10;
  readings.streams.emplace_back();
  for (std::size_t i = 0; i < tenths.size(); ++i) {
    readings.streams[0].timestamp_ns.push_back(tenths[i]);
    readings.streams[0].values.push_back(static_cast<float>(tenths[i]));
    readings.streams[0].label.push_back(label.empty() ? "" : label[i]);
  }
  return readings;
}

TEST(GridTest, MissingTicksBecomeNan) {
  const Grid grid = ToGrid(At({0, 10, 39, 50}), 0, 3);
  ASSERT_EQ(grid.series.size(), 1u);
  EXPECT_THAT(grid.series[0].values, ElementsAre(0, 10, IsNan(), IsNan(), 39, 50));
  EXPECT_EQ(grid.missing, 2u);
  EXPECT_EQ(grid.series[0].scored.size(), 6u);
}

TEST(GridTest, RowsHaveTheTimesOfTheirReadingsAndWhatIsMissingThoseBeforeTheNext) {
  const Grid grid = ToGrid(At({0, 11, 39, 52, 64}), 0, 3);
  ASSERT_EQ(grid.series.size(), 1u);
  EXPECT_THAT(grid.series[0].values, ElementsAre(0, 11, IsNan(), IsNan(), 39, 52, 64));
  EXPECT_THAT(grid.series[0].time_ns, ElementsAre(0, 11, 19, 29, 39, 52, 64));
}

TEST(GridTest, AGapThatNoStreamBridgesBeginsANewSeries) {
  const Grid grid = ToGrid(At({0, 10, 50, 100}), 0, 3);  // 3 ticks are missing, then 4
  ASSERT_EQ(grid.series.size(), 2u);
  EXPECT_THAT(grid.series[0].values, ElementsAre(0, 10, IsNan(), IsNan(), IsNan(), 50));
  EXPECT_THAT(grid.series[1].values, ElementsAre(100));
  EXPECT_EQ(grid.breaks, 1u);
}

TEST(GridTest, AReadingWithinHalfAnIntervalIsLeftOutAsTheServerRefusesIt) {
  const Grid grid = ToGrid(At({0, 4, 10, 13, 20}), 0, 3);
  ASSERT_EQ(grid.series.size(), 1u);
  EXPECT_THAT(grid.series[0].values, ElementsAre(0, 10, 20));
  EXPECT_EQ(grid.crowded, 2u);
}

TEST(GridTest, RowsAroundALabelAreNotScored) {
  const auto readings = At({0, 10, 20, 30, 40, 50, 60, 70}, {"", "", "", "1", "1", "", "", ""});
  EXPECT_THAT(ToGrid(readings, 0, 3).series[0].scored,
              ElementsAre(true, true, true, false, false, true, true, true));
  EXPECT_THAT(ToGrid(readings, 2, 3).series[0].scored,
              ElementsAre(true, false, false, false, false, false, false, true));
}

}  // namespace
}  // namespace tidegate
