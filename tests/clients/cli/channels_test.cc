#include "clients/cli/channels.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tidegate {
namespace {

Readings TwoColumns() {
  Readings readings;
  readings.file = "f.csv";
  readings.features = {"a", "b"};
  readings.interval_ns = 5;
  readings.streams = {
      {.stream = "s", .timestamp_ns = {10, 15}, .values = {1, 2, 3, 4}, .label = {"", "x"}, .line = {2, 3}}};
  return readings;
}

TEST(ChannelsTest, MakesEachColumnAStreamWithItsNumber) {
  const auto split = ToChannels(TwoColumns(), {"b", "a"});
  ASSERT_TRUE(split.ok()) << split.status();
  EXPECT_THAT(split->features, testing::ElementsAre("value", "channel"));
  ASSERT_EQ(split->streams.size(), 2u);
  EXPECT_EQ(split->streams[0].stream, "b");
  EXPECT_THAT(split->streams[0].values, testing::ElementsAre(2, 0, 4, 0));
  EXPECT_THAT(split->streams[1].values, testing::ElementsAre(1, 1, 3, 1));
  EXPECT_THAT(split->streams[1].timestamp_ns, testing::ElementsAre(10, 15));
  EXPECT_THAT(split->streams[1].label, testing::ElementsAre("", "x"));
}

TEST(ChannelsTest, NamesStreamsThatHaveNamesByBoth) {
  Readings readings = TwoColumns();
  readings.named = true;
  const auto split = ToChannels(readings, {"a"});
  ASSERT_TRUE(split.ok());
  EXPECT_EQ(split->streams[0].stream, "s/a");
}

TEST(ChannelsTest, AMissingColumnIsNamed) {
  EXPECT_THAT(std::string(ToChannels(TwoColumns(), {"a", "c"}).status().message()),
              testing::HasSubstr("f.csv: no column 'c'"));
}

}  // namespace
}  // namespace tidegate
