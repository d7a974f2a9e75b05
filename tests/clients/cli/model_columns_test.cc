#include "clients/cli/model_columns.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

const ModelColumns kModel = {
    .model = "m", .features = {"load", "temperature"}, .target = "temperature", .channels = {}};
const ModelColumns kChannels = {
    .model = "c", .features = {"value", "channel"}, .target = "value", .channels = {"b", "a"}};

Readings With(std::vector<std::string> features) {
  Readings readings;
  readings.file = "f.csv";
  readings.streams = {{.stream = "s", .timestamp_ns = {10}, .values = {}, .label = {}, .line = {2}}};
  for (std::size_t f = 0; f < features.size(); ++f)
    readings.streams[0].values.push_back(static_cast<float>(f));
  readings.features = std::move(features);
  return readings;
}

std::string Error(const Readings& readings, const std::string& target = "") {
  return std::string(FitToModel(readings, kModel, target).status().message());
}

TEST(ModelColumnsTest, TheModelsColumnsAreTakenWithItsTarget) {
  const auto readings = FitToModel(With({"load", "temperature"}), kModel, "");
  ASSERT_TRUE(readings.ok()) << readings.status();
  EXPECT_EQ(readings->target, 1u);
  EXPECT_THAT(readings->streams[0].values, ElementsAre(0, 1));
}

TEST(ModelColumnsTest, ColumnsOfOtherNamesAreTakenInTheirOrder) {
  const auto readings = FitToModel(With({"kW", "degrees"}), kModel, "kW");
  ASSERT_TRUE(readings.ok()) << readings.status();
  EXPECT_EQ(readings->target, 1u);
  EXPECT_THAT(readings->features, ElementsAre("kW", "degrees"));
}

TEST(ModelColumnsTest, ColumnsThatDoNotFitAreNamedWithThoseThatDo) {
  EXPECT_THAT(
      Error(With({"temperature", "load"})),
      HasSubstr("f.csv: the values are temperature,load; model 'm' takes load,temperature and forecasts "
                "temperature: give --values load,temperature"));
  EXPECT_THAT(Error(With({"load"})), HasSubstr("the values are load; model 'm' takes load,temperature"));
  EXPECT_THAT(Error(With({"load", "temperature"}), "load"), HasSubstr("give --target temperature"));
}

TEST(ModelColumnsTest, EachColumnIsAStreamOfAModelOfChannels) {
  const auto readings = FitToModel(With({"a", "b"}), kChannels, "");
  ASSERT_TRUE(readings.ok()) << readings.status();
  ASSERT_EQ(readings->streams.size(), 2u);
  EXPECT_EQ(readings->streams[0].stream, "b");
  EXPECT_THAT(readings->streams[0].values, ElementsAre(1, 0));
  EXPECT_THAT(readings->streams[1].values, ElementsAre(0, 1));
}

TEST(ModelColumnsTest, AModelOfChannelsHasNoSingleTarget) {
  EXPECT_THAT(std::string(FitToModel(With({"a", "b"}), kChannels, "a").status().message()),
              HasSubstr("f.csv: --target a: model 'c' forecasts each of the columns b,a, all are tested"));
}

TEST(ModelColumnsTest, ReadingsThatAreOfChannelsAlreadyStayAsTheyAre) {
  const auto readings = FitToModel(With({"value", "channel"}), kChannels, "");
  ASSERT_TRUE(readings.ok()) << readings.status();
  EXPECT_EQ(readings->streams[0].stream, "s");
}

}  // namespace
}  // namespace tidegate
