#include "clients/cli/load_feed.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <set>
#include <vector>

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::SizeIs;

constexpr LoadGrid kGrid = {.start_ns = 100, .interval_ns = 10, .latest_ns = 1'000};

TEST(LoadFeedTest, StreamsAreNamedOnceWithTheirFirstReadings) {
  LoadOptions options;
  options.stream_prefix = "s";
  LoadFeed feed(options, kGrid, 3, 1500);
  EXPECT_FALSE(feed.opened());
  const v1::PushRequest first = feed.Open();
  EXPECT_THAT(first.stream_id(), SizeIs(1024));
  EXPECT_EQ(first.stream_id(0), "s3");
  EXPECT_TRUE(first.acknowledge_only());
  EXPECT_FALSE(feed.opened());
  const v1::PushRequest second = feed.Open();
  EXPECT_THAT(second.stream_id(), SizeIs(476));
  EXPECT_EQ(second.handle(0), 1024u);
  EXPECT_EQ(second.timestamp(475), 100);
  EXPECT_TRUE(feed.opened());
  EXPECT_THAT(feed.Next().stream_id(), IsEmpty());
  EXPECT_FALSE(feed.Next().acknowledge_only());
}

TEST(LoadFeedTest, EveryTurnHasOneReadingOfEachStreamInTheSameRandomOrder) {
  LoadOptions options;
  options.batch = 4;
  options.features = 2;
  LoadFeed feed(options, kGrid, 0, 10);
  feed.Open();
  std::map<std::int64_t, std::vector<std::uint32_t>> turns;
  for (int message = 0; message < 5; ++message) {
    const v1::PushRequest& request = feed.Next();
    EXPECT_THAT(request.value(), SizeIs(8));
    for (int i = 0; i < 4; ++i) turns[request.timestamp(i)].push_back(request.handle(i));
  }
  ASSERT_THAT(turns, SizeIs(2));
  EXPECT_EQ(turns.at(110), turns.at(120));
  EXPECT_THAT(std::set<std::uint32_t>(turns.at(110).begin(), turns.at(110).end()), SizeIs(10));
  EXPECT_FALSE(std::is_sorted(turns.at(110).begin(), turns.at(110).end()));
}

TEST(LoadFeedTest, AMessageOfPushNamesItsStreams) {
  LoadOptions options;
  options.unary = true;
  options.stream_prefix = "s";
  LoadFeed feed(options, kGrid, 7, 1);
  feed.Open();
  const v1::PushRequest& request = feed.Next();
  EXPECT_THAT(request.stream_id(), ElementsAre("s7"));
  EXPECT_THAT(request.handle(), IsEmpty());
}

TEST(LoadFeedTest, EndsAtThePresentAndAsksForWhatIsWanted) {
  LoadOptions options;
  options.horizon = 2;
  options.quantiles = {0.5f};
  LoadFeed feed(options, {.start_ns = 0, .interval_ns = 10, .latest_ns = 20}, 0, 1);
  feed.Open();
  EXPECT_EQ(feed.Next().horizon(), 2u);
  EXPECT_FALSE(feed.ended());
  EXPECT_THAT(feed.Next().quantile(), ElementsAre(0.5f));
  EXPECT_TRUE(feed.ended());
}

}  // namespace
}  // namespace tidegate
