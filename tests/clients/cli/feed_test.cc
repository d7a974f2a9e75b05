#include "clients/cli/feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::Pair;

Readings WithTimes(const std::vector<std::vector<std::int64_t>>& times) {
  Readings readings;
  readings.interval_ns = 10;
  for (const auto& stream : times) {
    readings.streams.emplace_back();
    readings.streams.back().timestamp_ns = stream;
  }
  return readings;
}

std::vector<std::pair<std::size_t, std::size_t>> Tick(const Feed& feed, std::size_t i) {
  std::vector<std::pair<std::size_t, std::size_t>> readings;
  for (const FeedReading& reading : feed.tick(i)) readings.emplace_back(reading.stream, reading.row);
  return readings;
}

TEST(FeedTest, GoesTickByTickThroughAllStreams) {
  const Feed feed(WithTimes({{100, 110, 131}, {}, {112, 129}}));
  ASSERT_EQ(feed.size(), 3u);
  EXPECT_THAT(Tick(feed, 0), ElementsAre(Pair(0, 0)));
  EXPECT_THAT(Tick(feed, 1), ElementsAre(Pair(0, 1), Pair(2, 0)));
  EXPECT_THAT(Tick(feed, 2), ElementsAre(Pair(0, 2), Pair(2, 1)));
}

TEST(FeedTest, NoReadingsAreNoTicks) { EXPECT_EQ(Feed(WithTimes({{}})).size(), 0u); }

}  // namespace
}  // namespace tidegate
