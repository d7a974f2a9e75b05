#include "clients/cli/season.h"

#include <gtest/gtest.h>

namespace tidegate {
namespace {

std::size_t SeasonEvery(std::int64_t seconds, std::size_t rows, std::size_t given = 0,
                        std::size_t cycle = 0) {
  ModelSpec spec;
  spec.interval_ns = seconds * 1'000'000'000;
  spec.cycle = cycle;
  return SeasonOf(spec, given, rows).readings;
}

TEST(SeasonTest, IsWhatIsAskedThenTheCycleThenByTheInterval) {
  EXPECT_EQ(SeasonEvery(3600, 1000, 7, 168), 7u);
  EXPECT_EQ(SeasonEvery(3600, 1000, 0, 168), 168u);
  EXPECT_EQ(SeasonEvery(3600, 1000), 24u);
  EXPECT_EQ(SeasonEvery(900, 1000), 96u);
  EXPECT_EQ(SeasonEvery(86'400, 1000), 7u);
  EXPECT_EQ(SeasonEvery(7 * std::int64_t{86'400}, 1000), 52u);
  EXPECT_EQ(SeasonEvery(30 * std::int64_t{86'400}, 1000), 12u);
}

TEST(SeasonTest, LiesTwiceInTheRowsBeforeTheTest) {
  EXPECT_EQ(SeasonEvery(5, 40'000), 17'280u);  // a day
  EXPECT_EQ(SeasonEvery(5, 30'000), 1u);
  EXPECT_EQ(SeasonEvery(7, 100'000), 1u);  // divides none of them
}

}  // namespace
}  // namespace tidegate
