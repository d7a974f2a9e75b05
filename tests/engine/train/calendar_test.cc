#include "engine/stream/calendar.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <ctime>
#include <limits>
#include <numbers>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "engine/stream/stream.h"
#include "engine/train/dataset.h"
#include "engine/train/trainer.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
const std::vector<CalendarFeature> kAll(std::begin(kCalendarFeatures), std::end(kCalendarFeatures));

// By the C library's calendar.
std::vector<double> ExpectedPhases(std::time_t seconds) {
  std::tm date{};
  gmtime_r(&seconds, &date);
  const double day = (date.tm_hour * 3600 + date.tm_min * 60 + date.tm_sec) / 86'400.0;
  const int monday = (date.tm_wday + 6) % 7;
  std::tm next = {.tm_sec = 0,
                  .tm_min = 0,
                  .tm_hour = 0,
                  .tm_mday = 0,
                  .tm_mon = date.tm_mon + 1,
                  .tm_year = date.tm_year,
                  .tm_wday = 0,
                  .tm_yday = 0,
                  .tm_isdst = 0,
                  .tm_gmtoff = 0,
                  .tm_zone = nullptr};
  timegm(&next);  // the day before the next month's first: the last of this one
  return {day, (monday + day) / 7, (date.tm_mon + (date.tm_mday - 1 + day) / next.tm_mday) / 12};
}

TEST(CalendarTest, AgreesWithTheCLibrary) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const auto seconds = static_cast<std::time_t>(random() % 9'000'000'000u);  // to the year 2255
    const std::vector<double> expected = ExpectedPhases(seconds);
    std::vector<float> inputs(6);
    FillCalendar(kAll, seconds * kSecond, inputs);
    for (std::size_t f = 0; f < 3; ++f) {
      ASSERT_NEAR(CalendarPhase(kAll[f], seconds * kSecond), expected[f], 1e-12) << seconds;
      ASSERT_NEAR(inputs[2 * f], std::sin(2 * std::numbers::pi * expected[f]), 1e-7) << seconds;
      ASSERT_NEAR(inputs[2 * f + 1], std::cos(2 * std::numbers::pi * expected[f]), 1e-7) << seconds;
    }
  }
}

TEST(CalendarTest, TrainingAndServingSeeTheSameBits) {
  ModelSpec spec = TinySpec();
  spec.calendar = kAll;
  spec.interval_ns = 1800 * kSecond;
  EXPECT_EQ(spec.inputs(), 2u * 2 + 6);
  const auto model = TinyModel(spec);
  Series series = {.stream = "s",
                   .features = 2,
                   .begin_ns = 1'700'000'000 * kSecond,
                   .values = {},
                   .scored = std::vector<bool>(100, true)};
  for (int t = 0; t < 200; ++t)
    series.values.push_back(t % 9 == 0 ? std::numeric_limits<float>::quiet_NaN()
                                       : std::sin(0.7f * static_cast<float>(t)));
  const auto data = PrepareSeries({series}, {80}, {}, spec);
  ASSERT_TRUE(data.ok()) << data.status();
  StreamHeader header;
  std::vector<float> floats(StreamFloats(*model)), inputs(spec.inputs());
  const StreamRef stream(*model, header, floats);
  StartStream(*model, stream);
  for (std::size_t t = 0; t < 100; ++t) {
    const std::int64_t time = series.begin_ns + static_cast<std::int64_t>(t) * spec.interval_ns;
    Prepare(*model, stream, time, std::span(series.values).subspan(2 * t, 2), inputs);
    const float* const row = (*data)[0].inputs.row(t);
    ASSERT_EQ(inputs, std::vector<float>(row, row + spec.inputs())) << "row " << t;
    std::vector<float> calendar(6);
    FillCalendar(kAll, time, calendar);
    ASSERT_EQ(std::vector<float>(inputs.begin() + 4, inputs.end()), calendar);
  }
}

// A daily wave deep in noise: a few values do not tell where in it they are, the calendar does, and what is
// left is the noise.
TEST(CalendarTest, TellsANetworkWhatTheLastValuesDoNot) {
  std::mt19937 random(3);
  std::normal_distribution<float> noise(0, 1);
  Series series = {.stream = "s", .features = 1, .values = {}, .scored = std::vector<bool>(1500, true)};
  for (std::size_t t = 0; t < 1500; ++t) {
    const double turn = 2 * std::numbers::pi * static_cast<double>(t) / 24;
    series.values.push_back(2 * static_cast<float>(std::sin(turn)) + noise(random));
  }
  TrainOptions options;
  options.interval_ns = 3600 * kSecond;
  options.features = {"v"};
  options.level_inputs = true;
  options.difference_inputs = false;
  options.layers = {{.units = 8}};
  options.horizon = 3;
  options.warm_up = 4;
  options.sequence_length = 16;
  options.epochs = 20;
  options.learning_rate = 1e-2;
  const auto error = [&] {
    const auto trained = Train({series}, options, nullptr);
    EXPECT_TRUE(trained.ok()) << trained.status();
    const auto again = ParseSpec(WriteSpec(trained->spec));
    EXPECT_TRUE(again.ok()) << again.status();
    EXPECT_EQ(again->calendar, options.calendar);
    return trained->spec.validation.mae;
  };
  const double without = error();
  options.calendar = {CalendarFeature::kHourOfDay};
  const double with = error();
  EXPECT_LT(with, 0.95 * without);
  EXPECT_LT(with, 1.1 * std::sqrt(2 / std::numbers::pi));  // the mean absolute value of the noise
}

TEST(CalendarTest, IsRefusedWhereItWouldBeTakenAway) {
  ModelSpec spec = TinySpec();
  spec.calendar = {CalendarFeature::kHourOfDay};
  EXPECT_TRUE(CheckSpec(spec).ok());
  spec.layers.insert(spec.layers.begin(),
                     {.kind = LayerKind::kConv1d, .units = 4, .kernel = 4, .stride = 4, .relative = true});
  spec.interleaved = true;
  EXPECT_THAT(std::string(CheckSpec(spec).message()), testing::HasSubstr("calendar"));
  std::string json = WriteSpec(TinySpec());
  json.replace(json.find("\"calendar\": []"), 14, "\"calendar\": [\"moon\"]");
  EXPECT_THAT(std::string(ParseSpec(json).status().message()),
              testing::HasSubstr("\"moon\"; expected hour_of_day"));
}

}  // namespace
}  // namespace tidegate
