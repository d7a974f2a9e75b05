#include "clients/cli/values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>

namespace tidegate {
namespace {

using testing::AllOf;
using testing::HasSubstr;

constexpr std::int64_t kSecondNs = 1'000'000'000;

TEST(ValuesTest, NumbersAndMissingValues) {
  EXPECT_EQ(*ParseValue("-1.5e2"), -150);
  for (const char* missing : {"", "NA", "na", "N/A", "null", "NaN", "nan"}) {
    EXPECT_TRUE(std::isnan(*ParseValue(missing))) << missing;
  }
  EXPECT_EQ(ParseValue("21,5").status().message(), "'21,5' is not a number");
  EXPECT_THAT(std::string(ParseValue("inf").status().message()), HasSubstr("infinite"));
  EXPECT_THAT(std::string(ParseValue("1e39").status().message()), HasSubstr("beyond"));
}

// Expected seconds: date --utc --date=... +%s
TEST(ValuesTest, TimesOfSeveralFormats) {
  EXPECT_EQ(*ParseTimestamp("2024-05-31T12:00:00Z"), 1'717'156'800 * kSecondNs);
  EXPECT_EQ(*ParseTimestamp("2024-05-31T14:00:00.25+02:00"), 1'717'156'800 * kSecondNs + kSecondNs / 4);
  EXPECT_EQ(*ParseTimestamp("2024-05-31 12:00:00"), 1'717'156'800 * kSecondNs);
  EXPECT_EQ(*ParseTimestamp("2024-05-31 12:00"), 1'717'156'800 * kSecondNs);
  EXPECT_EQ(*ParseTimestamp("2024-05-31"), 1'717'113'600 * kSecondNs);
  EXPECT_EQ(*ParseTimestamp("1717156800"), 1'717'156'800 * kSecondNs);
  EXPECT_EQ(*ParseTimestamp("1717156800.123456789"), 1'717'156'800 * kSecondNs + 123'456'789);
  EXPECT_EQ(*ParseTimestamp("0.5"), kSecondNs / 2);
}

TEST(ValuesTest, NumbersCountInTheUnitOfTheirSize) {
  const std::int64_t time = 1'717'156'800 * kSecondNs;
  for (const auto& [cell, unit] :
       {std::pair("1717156800", TimeUnit::kSeconds), std::pair("1717156800000", TimeUnit::kMilliseconds),
        std::pair("1717156800000000", TimeUnit::kMicroseconds),
        std::pair("1717156800000000000", TimeUnit::kNanoseconds)}) {
    EXPECT_EQ(GuessTimeUnit(cell), unit) << cell;
    EXPECT_EQ(*ParseTimestamp(cell, unit), time) << cell;
  }
  EXPECT_EQ(*ParseTimestamp("1717156800000.25", TimeUnit::kMilliseconds), time + 250'000);
  EXPECT_EQ(*ParseTimestamp("1717156800000000.125", TimeUnit::kMicroseconds), time + 125);
  EXPECT_EQ(*ParseTimestamp("15", TimeUnit::kMilliseconds), 15'000'000);
  EXPECT_EQ(GuessTimeUnit("2024-05-31"), TimeUnit::kSeconds);
  EXPECT_EQ(GuessTimeUnit("99999999999"), TimeUnit::kSeconds);
  EXPECT_FALSE(ParseTimestamp("9223372036854775807", TimeUnit::kMilliseconds).ok());
}

TEST(ValuesTest, WhatIsNoTimeSaysWhatIs) {
  EXPECT_THAT(std::string(ParseTimestamp("31.05.2024").status().message()),
              HasSubstr("2024-05-31T12:00:00Z"));
  EXPECT_THAT(std::string(ParseTimestamp("1969-12-31").status().message()), HasSubstr("from 1970 on"));
  EXPECT_THAT(std::string(ParseTimestamp("1717156800000").status().message()),
              AllOf(HasSubstr("as seconds since 1970"), HasSubstr("--time-unit")));
  EXPECT_FALSE(ParseTimestamp("-1").ok());
  EXPECT_FALSE(ParseTimestamp("1.5e3").ok());
  EXPECT_FALSE(ParseTimestamp("").ok());
}

TEST(ValuesTest, RowNumbersTimesTheInterval) {
  EXPECT_EQ(*ParseRowNumber("17", 5 * kSecondNs), 85 * kSecondNs);
  EXPECT_FALSE(ParseRowNumber("1.5", kSecondNs).ok());
  EXPECT_FALSE(ParseRowNumber("-1", kSecondNs).ok());
  EXPECT_FALSE(ParseRowNumber("9223372036854775807", kSecondNs).ok());
  EXPECT_THAT(std::string(ParseRowNumber("2024-05-31", kSecondNs).status().message()),
              HasSubstr("--interval"));
}

}  // namespace
}  // namespace tidegate
