#include "clients/cli/push_collector.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <sstream>
#include <string>

#include "clients/cli/push_summary.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

constexpr int kReadings = 40;

// One stream that rises by one a reading; reading 30 is labelled.
Readings Rising() {
  Readings readings;
  readings.file = "rising.csv";
  readings.features = {"level"};
  readings.interval_ns = 1'000'000'000;
  readings.streams.emplace_back();
  StreamReadings& stream = readings.streams[0];
  stream.stream = "a";
  for (int i = 0; i < kReadings; ++i) {
    stream.timestamp_ns.push_back(i * readings.interval_ns);
    stream.values.push_back(static_cast<float>(i));
    stream.label.push_back(i == 30 ? "event" : "");
    stream.line.push_back(static_cast<std::size_t>(i) + 2);
  }
  return readings;
}

// Answers as a server would whose forecast of step 1 is right, and of step 2 five too high.
class PushCollectorTest : public testing::Test {
 protected:
  PushSummary Collect(const Readings& readings) {
    PushCollector collector(readings, {}, false);
    const Feed feed(readings);
    for (std::size_t i = 0; i < feed.size(); ++i) {
      v1::PushResponse response;
      const float value = readings.streams[0].values[i];
      response.add_outcome(i == 12 ? v1::OUTCOME_LATE : v1::OUTCOME_APPLIED);
      for (const float q : {0.f, 1.f, 2.f, 6.f, 7.f, 8.f}) response.add_forecast(value + q);
      response.add_anomaly_score(i == 0 ? std::numeric_limits<float>::quiet_NaN() : i == 30 ? 0.99f : 0.5f);
      response.add_steps(static_cast<std::uint32_t>(i + 1));
      response.add_quality(0);
      response.set_horizon(2);
      for (const float q : {0.1f, 0.5f, 0.9f}) response.add_quantile(q);
      response.set_interval(readings.interval_ns);
      const absl::Status status = collector.Add({feed.tick(i), response, absl::Microseconds(100 + i)});
      EXPECT_TRUE(status.ok()) << status;
    }
    return collector.Finish(absl::Seconds(2));
  }
};

TEST_F(PushCollectorTest, CountsScoresAndTimesEveryAnswer) {
  const PushSummary summary = Collect(Rising());
  EXPECT_EQ(summary.messages, 40u);
  EXPECT_EQ(summary.outcomes.at("APPLIED"), 39u);
  EXPECT_EQ(summary.outcomes.at("LATE"), 1u);
  ASSERT_EQ(summary.refused.size(), 1u);
  EXPECT_EQ(summary.refused[0].line, 14u);
  EXPECT_EQ(summary.steps[0].error, 0);
  EXPECT_EQ(summary.steps[0].persistence_error, summary.steps[0].forecasts);
  EXPECT_EQ(summary.steps[1].error, 5 * summary.steps[1].forecasts);
  EXPECT_EQ(summary.resolution, 1);
  EXPECT_EQ(summary.unchanged, 0);
  EXPECT_EQ(summary.scored, 38u);
  EXPECT_EQ(summary.labelled, 1u);
  EXPECT_EQ(summary.labelled_above, 1);
  ASSERT_FALSE(summary.unusual.empty());
  EXPECT_EQ(summary.unusual[0].line, 32u);
  EXPECT_EQ(summary.unusual[0].label, "event");
  EXPECT_EQ(summary.unusual[0].forecast.middle, 30);
  EXPECT_NEAR(summary.Latency(0.5), 119e-6, 1e-9);  // the 20th of 40
  EXPECT_NEAR(summary.Latency(1), 139e-6, 1e-9);
  EXPECT_GT(summary.samples.size(), 5u);
}

TEST_F(PushCollectorTest, ThePageSaysWhatWonAndWhere) {
  std::ostringstream page;
  PrintSummary(Collect(Rising()), page);
  EXPECT_THAT(page.str(), HasSubstr("Step 2: the last value is the better forecast."));
  EXPECT_THAT(page.str(), HasSubstr("rising.csv:14: stream 'a': LATE"));
  EXPECT_THAT(page.str(), HasSubstr("Outcomes: APPLIED 39, LATE 1."));
  EXPECT_THAT(page.str(), HasSubstr("80 % interval"));
  EXPECT_THAT(page.str(), HasSubstr("p50 119 us"));
  EXPECT_THAT(page.str(), HasSubstr("20 readings/s"));
}

TEST_F(PushCollectorTest, JsonTellsTheSame) {
  const auto json = nlohmann::json::parse(SummaryJson(Collect(Rising())));
  EXPECT_EQ(json["outcomes"]["APPLIED"], 39);
  EXPECT_EQ(json["steps"].size(), 2u);
  EXPECT_EQ(json["steps"][0]["mae"], 0);
  EXPECT_EQ(json["steps"][1]["mae"], 5);
  EXPECT_EQ(json["steps"][1]["persistence_mae"], 2);
  EXPECT_EQ(json["refused"][0]["outcome"], "LATE");
  EXPECT_EQ(json["unusual"][0]["label"], "event");
  EXPECT_EQ(json["readings_per_second"], 20);
}

// Readings that are each 1.2 intervals apart are neighbours to a server, which counts from the one before.
TEST_F(PushCollectorTest, TicksAreCountedFromTheReadingBefore) {
  Readings readings = Rising();
  for (int i = 0; i < kReadings; ++i) readings.streams[0].timestamp_ns[i] = i * readings.interval_ns * 6 / 5;
  const PushSummary summary = Collect(readings);
  EXPECT_EQ(summary.steps[0].forecasts, Collect(Rising()).steps[0].forecasts);
  EXPECT_EQ(summary.steps[0].error, 0);
}

TEST_F(PushCollectorTest, TheRateIsOfReadingsThatWereSent) {
  PushSummary summary = Collect(Rising());
  summary.not_sent = 30;
  std::ostringstream page;
  PrintSummary(summary, page);
  EXPECT_THAT(page.str(), HasSubstr("; 5 readings/s"));
  EXPECT_EQ(nlohmann::json::parse(SummaryJson(summary))["readings_per_second"], 5);
}

TEST_F(PushCollectorTest, JsonTakesALabelThatIsNotUtf8) {
  Readings readings = Rising();
  readings.streams[0].label[30] =
      "d\xe9"
      "faut";
  const auto json = nlohmann::json::parse(SummaryJson(Collect(readings)));
  EXPECT_EQ(json["unusual"][0]["label"],
            "d\xef\xbf\xbd"
            "faut");
}

TEST_F(PushCollectorTest, AModelOfAnotherIntervalIsRefused) {
  const Readings readings = Rising();
  PushCollector collector(readings, {}, false);
  v1::PushResponse response;
  response.set_interval(5 * readings.interval_ns);
  const Feed feed(readings);
  EXPECT_THAT(std::string(collector.Add({feed.tick(0), response, absl::ZeroDuration()}).message()),
              HasSubstr("the readings are 1s apart, the model takes one every 5s"));
}

}  // namespace
}  // namespace tidegate
