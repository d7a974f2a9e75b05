#include "clients/cli/readings.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr std::int64_t kSecond = 1'000'000'000;

// A file for one test, removed after it.
class ReadingsTest : public testing::Test {
 protected:
  ~ReadingsTest() override { std::filesystem::remove(file_); }

  absl::StatusOr<Readings> Read(const std::string& text, const ReadingOptions& options = {}) {
    std::ofstream(file_, std::ios::binary) << text;
    return ReadReadings(file_, options);
  }

  std::string Error(const std::string& text, const ReadingOptions& options = {}) {
    return std::string(Read(text, options).status().message());
  }

  const std::string name_ = testing::UnitTest::GetInstance()->current_test_info()->name();
  const std::filesystem::path file_ = std::filesystem::path(testing::TempDir()) / (name_ + ".csv");
};

ReadingOptions Motes() {
  ReadingOptions options;
  options.time_column = "reading";
  options.interval = absl::Seconds(5);
  options.stream_column = "mote";
  options.label_column = "label";
  return options;
}

constexpr char kMotes[] =
    "reading,mote,temperature,humidity,label\n"
    "1,b,20.5,40,0\n"
    "1,a,21.5,41,\n"
    "2,b,20.6,,1\n"
    "3,b,NA,42,false\n"
    "3,a,21.7,43,spike\n";

TEST_F(ReadingsTest, StreamsKeepTheirRowsInOrder) {
  const auto readings = Read(kMotes, Motes());
  ASSERT_TRUE(readings.ok()) << readings.status();
  EXPECT_THAT(readings->features, ElementsAre("temperature", "humidity"));
  EXPECT_EQ(readings->target, 0u);
  EXPECT_EQ(readings->interval_ns, 5 * kSecond);
  ASSERT_EQ(readings->streams.size(), 2u);
  const StreamReadings& b = readings->streams[0];
  EXPECT_EQ(b.stream, "b");
  EXPECT_THAT(b.timestamp_ns, ElementsAre(5 * kSecond, 10 * kSecond, 15 * kSecond));
  EXPECT_THAT(b.values, ElementsAre(20.5f, 40.0f, 20.6f, testing::IsNan(), testing::IsNan(), 42.0f));
  EXPECT_THAT(b.label, ElementsAre("", "1", ""));
  EXPECT_THAT(b.line, ElementsAre(2, 4, 5));
  EXPECT_THAT(readings->streams[1].label, ElementsAre("", "spike"));
}

TEST_F(ReadingsTest, ColumnsCanBeChosen) {
  ReadingOptions options = Motes();
  options.values = {"humidity", "temperature"};
  options.target = "temperature";
  options.streams = {"a"};
  const auto readings = Read(kMotes, options);
  ASSERT_TRUE(readings.ok()) << readings.status();
  EXPECT_EQ(readings->target, 1u);
  ASSERT_EQ(readings->streams.size(), 1u);
  EXPECT_THAT(readings->streams[0].values, ElementsAre(41, 21.5f, 43, 21.7f));
}

TEST_F(ReadingsTest, WithoutAnIntervalItIsTheMedianDifference) {
  const auto readings = Read(
      "time,v\n2024-05-31T12:00:00Z,1\n2024-05-31T12:01:00Z,2\n2024-05-31T12:02:01Z,3\n2024-05-31T12:03:01Z,"
      "4\n");
  ASSERT_TRUE(readings.ok()) << readings.status();
  EXPECT_EQ(readings->interval_ns, 60 * kSecond);
  EXPECT_EQ(readings->streams[0].stream, name_);  // one stream, named after the file
}

TEST_F(ReadingsTest, TheIntervalIsRoundIfItsTicksStayWithTheReadings) {
  const auto interval = [&](std::int64_t apart, auto late) {
    std::string text = "time,v\n";
    for (std::int64_t i = 0; i < 5000; ++i)
      absl::StrAppend(&text, 1'717'156'800'000'000 + i * apart + late(i), ",1\n");
    const auto readings = Read(text);
    EXPECT_TRUE(readings.ok()) << readings.status();
    return absl::Nanoseconds(readings.ok() ? readings->interval_ns : 0);
  };
  const auto exact = [](std::int64_t) { return 0; };
  // Each 30 us early, and back at once: the median is not the mean.
  const auto early = [](std::int64_t i) { return i % 4 == 0 ? 90 : -30 * (i % 4); };
  EXPECT_EQ(interval(60'000'000, exact), absl::Minutes(1));
  EXPECT_EQ(interval(60'000'000, early), absl::Minutes(1));
  EXPECT_EQ(interval(3'600'000'000, early), absl::Hours(1));
  EXPECT_EQ(interval(1'800'000'000, early), absl::Minutes(30));
  EXPECT_EQ(interval(3'601'000'000, exact), absl::Seconds(3601)) << "it leaves the hour";
  EXPECT_EQ(interval(61'000'000, exact), absl::Seconds(61));
  EXPECT_EQ(interval(33'333, exact), absl::Microseconds(33'333));
}

TEST_F(ReadingsTest, RangesOfRowsArePerStream) {
  std::string text = "t,s,v\n";
  for (int i = 0; i < 10; ++i) text += std::to_string(i) + ",a," + std::to_string(i) + "\n";
  for (int i = 0; i < 20; ++i) text += std::to_string(i) + ",b," + std::to_string(i) + "\n";
  ReadingOptions options;
  options.stream_column = "s";
  const auto values = [&](const char* range) {
    options.rows = *ParseRowRange(range);
    const auto readings = Read(text, options);
    EXPECT_TRUE(readings.ok()) << readings.status();
    std::vector<std::vector<float>> streams;
    for (const StreamReadings& stream : readings->streams) streams.push_back(stream.values);
    return streams;
  };
  EXPECT_THAT(values("80%:"), ElementsAre(ElementsAre(8, 9), ElementsAre(16, 17, 18, 19)));
  EXPECT_THAT(values("8:12"), ElementsAre(ElementsAre(8, 9), ElementsAre(8, 9, 10, 11)));
  EXPECT_THAT(values(":2"), ElementsAre(ElementsAre(0, 1), ElementsAre(0, 1)));
}

TEST(RowRangeTest, RefusesWhatIsNoRange) {
  for (const char* text : {"", "5", "a:b", "7:7", "9:3", "70%:60%", "0%:101%", "-1:3"}) {
    EXPECT_FALSE(ParseRowRange(text).ok()) << text;
  }
}

// The rows sorted by time, of each time the first in the file: what a stable sort and a look at neighbours
// give.
TEST_F(ReadingsTest, TimesThatDoNotRiseAreRepairedAndCounted) {
  const auto readings =
      Read("time,s,v,label\n10,a,1,\n30,a,3,x\n20,a,2,\n20,a,9,y\n40,a,4,\n40,a,8,\n5,b,7,\n15,b,6,\n", [] {
        ReadingOptions options;
        options.stream_column = "s";
        options.label_column = "label";
        return options;
      }());
  ASSERT_TRUE(readings.ok()) << readings.status();
  const StreamReadings& a = readings->streams[0];
  EXPECT_THAT(a.timestamp_ns, ElementsAre(10 * kSecond, 20 * kSecond, 30 * kSecond, 40 * kSecond));
  EXPECT_THAT(a.values, ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(a.label, ElementsAre("", "", "x", ""));
  EXPECT_THAT(a.line, ElementsAre(2, 4, 3, 6));
  EXPECT_THAT(readings->streams[1].values, ElementsAre(7, 6));
  EXPECT_THAT(readings->notes,
              ElementsAre("repaired: 2 duplicate times (kept the first; line 5 and on), 2 readings out "
                          "of order (sorted; line 4 and on)."));
}

TEST_F(ReadingsTest, AGoodFileHasNoNotes) {
  EXPECT_THAT(Read("time,v\n1,5\n2,6\n3,5\n")->notes, testing::IsEmpty());
}

TEST_F(ReadingsTest, WhatLooksOddIsNoted) {
  EXPECT_THAT(
      Read("time,v,w,u\n0,1,5,\n60,2,5,\n120,3,5,\n180,4,5,\n1800,5,5,\n")->notes,
      ElementsAre(
          "mixed intervals: 25 % of the readings are not about 1m after the one before, but 1m to 27m.",
          "column 'w' never varies, it is always 5.", "column 'u' has no values."));
}

TEST_F(ReadingsTest, TimesAreToldApartAndSaid) {
  for (const auto& [zeros, name] :
       {std::pair("", "seconds"), std::pair("000", "milliseconds"), std::pair("000000", "microseconds"),
        std::pair("000000000", "nanoseconds")}) {
    const auto readings = Read(
        absl::StrCat("time,v\n1717156800", zeros, ",1\n1717156860", zeros, ",2\n1717156920", zeros, ",3\n"));
    ASSERT_TRUE(readings.ok()) << readings.status();
    EXPECT_EQ(readings->interval_ns, 60 * kSecond);
    EXPECT_EQ(readings->streams[0].timestamp_ns[0], 1'717'156'800 * kSecond);
    EXPECT_EQ(readings->times, absl::StrCat(name, " since 1970, told by their size"));
  }
  ReadingOptions options;
  options.time_unit = TimeUnit::kMilliseconds;
  EXPECT_EQ(Read("time,v\n15,1\n31,2\n47,3\n", options)->interval_ns, 16'000'000);
  EXPECT_THAT(Error("time,v\n2024-05-31,1\n", options),
              HasSubstr("'2024-05-31' is not a number, and --time-unit says what numbers count"));
  EXPECT_THAT(Error("time,v\n1717156800,1\n1717156860000,2\n"),
              HasSubstr(":3: column 'time': '1717156860000' is outside"));
  EXPECT_THAT(Error("time,v\n1717156800000,1\n1717156860,2\n"),
              HasSubstr(":3: column 'time': '1717156860' looks like seconds, the times before it are "
                        "milliseconds since 1970, told by their size; a column holds one kind of times"));
  EXPECT_EQ(Read("time,v\n2024-05-31,1\n2024-06-01 00:00,2\n")->times, "RFC 3339");
  EXPECT_THAT(Error("time,v\n2024-05-31,1\n1717156860,2\n"),
              HasSubstr(":3: column 'time': '1717156860' is a number, the times before it are RFC 3339"));
  EXPECT_THAT(Error("time,v\n1717156860,1\n2024-05-31,2\n"),
              HasSubstr("is RFC 3339, the times before it are seconds since 1970"));
  ReadingOptions rows;
  rows.interval = absl::Minutes(5);
  EXPECT_EQ(Read("time,v\n1,1\n2,2\n", rows)->times, "row numbers, 5m apart");
}

TEST_F(ReadingsTest, NamesOfColumnsAreUtf8AndDiffer) {
  EXPECT_THAT(Error("time,Temp \xb0"
                    "C\n1,2\n2,3\n"),
              HasSubstr(":1: the name of column 2, 'Temp \xef\xbf\xbd"
                        "C', is not UTF-8"));
  EXPECT_THAT(Error("time,a,a\n1,2,3\n2,3,4\n"), HasSubstr(":1: two columns are called 'a'"));
  ReadingOptions options;
  options.values = {"a", "a"};
  EXPECT_THAT(Error("time,a\n1,2\n2,3\n", options), HasSubstr("--values names 'a' twice"));
  ReadingOptions rows;
  rows.rows = *ParseRowRange("50:");
  EXPECT_THAT(Error("time,a\n1,2\n2,3\n", rows), HasSubstr("no rows of readings among --rows 50:"));
}

TEST_F(ReadingsTest, ErrorsNameFileLineAndColumn) {
  const std::string file = file_.string();
  EXPECT_EQ(Error("time,v\n1,2\n2,x\n"), file + ":3: column 'v': 'x' is not a number");
  ReadingOptions strict;
  strict.strict = true;
  EXPECT_EQ(Error("time,v\n1,2\n1,3\n", strict),
            file + ":3: column 'time': '1' is the same as the time of stream '" + name_ +
                "' in line 2; the times of a stream must rise");
  EXPECT_THAT(Error("time,v\n2,2\n1,3\n", strict), HasSubstr(":3: column 'time': '1' is before the time"));
  EXPECT_THAT(Error("time,v\nyesterday,2\n"), HasSubstr(":2: column 'time': 'yesterday' is not a time"));
  EXPECT_EQ(Error("time,v\n1,2\n2\n"), file + ":3: 1 cell, the header has 2 columns");
  EXPECT_THAT(Error("reading,mote,v,label\n1,,2,\n", Motes()),
              HasSubstr(":2: column 'mote': the stream's name is missing"));
}

TEST_F(ReadingsTest, ErrorsOfTheWholeFileSayWhatThereIs) {
  const std::string file = file_.string();
  ReadingOptions options;
  options.values = {"temp"};
  EXPECT_EQ(Error("time,v,w\n1,2,3\n", options), file + ":1: no column 'temp'; the columns are time, v, w");
  options.values = {"v"};
  EXPECT_EQ(Error("time,v,v\n1,2,3\n", options), file + ":1: two columns are called 'v'");
  options.target = "w";
  EXPECT_EQ(Error("time,v,w\n1,2,3\n", options), file + ":1: the target 'w' is not among the values v");
  EXPECT_EQ(Error("time,v\n"), file + ": no rows of readings");
  EXPECT_EQ(Error(""), file + ": is empty");
  EXPECT_THAT(Error("time\n1\n"), HasSubstr("no column of values"));
  EXPECT_THAT(Error("time;v\n1;2\n"),
              HasSubstr(":1: no column of values beside time;v; columns are separated by commas"));
  EXPECT_THAT(Error("time,v\n1,2\n"), HasSubstr("no stream has two readings"));
  options = Motes();
  options.streams = {"c"};
  EXPECT_EQ(Error(kMotes, options), file + ": no rows of stream 'c'");
}

}  // namespace
}  // namespace tidegate
