#include "server/metrics/metrics.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <filesystem>
#include <string>

#include "prometheus/text_serializer.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

Metrics MakeMetrics(std::size_t shards) {
  const BuildInfo build = {.version = "1.2.3", .instruction_set = "portable", .onednn = "2.6.3"};
  const ModelInfo hall = {
      .name = "hall", .version = "7", .cell = "gru", .units = "64", .horizon = "24", .sha256 = "01"};
  ModelInfo yard = hall;
  yard.name = "yard";
  return {build, {hall, yard}, shards};
}

std::string Page(const Metrics& metrics) { return prometheus::TextSerializer().Serialize(metrics.Collect()); }

TEST(MetricsTest, EveryLabelSetExistsBeforeAnythingHappens) {
  const Metrics metrics = MakeMetrics(1);
  const std::string page = Page(metrics);
  for (
      const char* line :
      {"tidegate_requests_total{method=\"Push\",code=\"OK\"} 0\n",
       "tidegate_requests_total{method=\"Stream\",code=\"INVALID_ARGUMENT\"} 0\n",
       "tidegate_readings_total{model=\"yard\",outcome=\"overloaded\"} 0\n",
       "tidegate_request_duration_seconds_bucket{method=\"Push\",le=\"2.5e-05\"} 0\n",
       "tidegate_step_duration_seconds_bucket{model=\"hall\",le=\"1e-06\"} 0\n",
       "tidegate_batch_size_readings_bucket{model=\"hall\",le=\"64\"} 0\n",
       "tidegate_queue_wait_seconds_bucket{le=\"+Inf\"} 0\n",
       "tidegate_streams{model=\"hall\"} 0\n",
       "tidegate_state_bytes{model=\"hall\"} 0\n",
       "tidegate_subscriptions 0\n",
       "tidegate_subscription_events_total 0\n",
       "tidegate_subscription_events_lost_total 0\n",
       "tidegate_stage_duration_seconds_bucket{stage=\"receive\",le=\"1e-06\"} 0\n",
       "tidegate_stage_duration_seconds_count{stage=\"send\"} 0\n",
       "tidegate_refusals_total{reason=\"call_limit\"} 0\n",
       "tidegate_waiting_readings 0\n",
       "tidegate_open_calls 0\n",
       "tidegate_refusals_total{reason=\"disk\"} 0\n",
       "tidegate_journal_bytes_total 0\n",
       "tidegate_journal_commit_duration_seconds_bucket{le=\"1e-06\"} 0\n",
       "tidegate_checkpoint_duration_seconds_count 0\n",
       "tidegate_shard_busy_seconds_total{shard=\"0\"} 0\n",
       "tidegate_streams_created_total{model=\"hall\"} 0\n",
       "tidegate_streams_deleted_total{model=\"hall\"} 0\n",
       "tidegate_cold_answers_total{model=\"yard\"} 0\n",
       "tidegate_requests_total{method=\"Push\",code=\"UNAUTHENTICATED\"} 0\n",
       "tidegate_build_info{version=\"1.2.3\",instruction_set=\"portable\",onednn=\"2.6.3\"} 1\n",
       R"(tidegate_model_info{model="hall",version="7",cell="gru",units="64",horizon="24",sha256="01"} 1)"}) {
    EXPECT_THAT(page, HasSubstr(line));
  }
}

TEST(MetricsTest, AScrapeAddsUpTheShards) {
  Metrics metrics = MakeMetrics(2);
  for (std::size_t s = 0; s < 2; ++s) {
    ShardMetrics& shard = metrics.shard(s);
    shard.request(Method::kStream, 0).Add(5);
    shard.request_duration(Method::kPush).Observe(20e-6);
    shard.request_duration(Method::kPush).Observe(7);
    shard.models[1].readings[1].Add(10);
    shard.models[1].streams.Set(3);
    shard.stage(Stage::kQueue).Observe(3e-6);
    shard.lack(Lack::kStreams).Add(4);
    shard.waiting_readings.Set(6);
  }
  const std::string page = Page(metrics);
  for (const char* line :
       {"tidegate_requests_total{method=\"Stream\",code=\"OK\"} 10\n",
        "tidegate_request_duration_seconds_bucket{method=\"Push\",le=\"1e-05\"} 0\n",
        "tidegate_request_duration_seconds_bucket{method=\"Push\",le=\"2.5e-05\"} 2\n",
        "tidegate_request_duration_seconds_bucket{method=\"Push\",le=\"1\"} 2\n",
        "tidegate_request_duration_seconds_bucket{method=\"Push\",le=\"+Inf\"} 4\n",
        "tidegate_request_duration_seconds_count{method=\"Push\"} 4\n",
        "tidegate_readings_total{model=\"yard\",outcome=\"applied\"} 20\n",
        "tidegate_stage_duration_seconds_bucket{stage=\"queue\",le=\"2.5e-06\"} 0\n",
        "tidegate_stage_duration_seconds_bucket{stage=\"queue\",le=\"5e-06\"} 2\n",
        "tidegate_queue_wait_seconds_count 2\n", "tidegate_refusals_total{reason=\"streams\"} 8\n",
        "tidegate_waiting_readings 12\n", "tidegate_shard_busy_seconds_total{shard=\"1\"} 0\n",
        "tidegate_streams{model=\"yard\"} 6\n"}) {
    EXPECT_THAT(page, HasSubstr(line));
  }
}

TEST(MetricsTest, BucketBoundsRise) {
  Metrics metrics = MakeMetrics(1);
  for (const prometheus::MetricFamily& family : metrics.Collect()) {
    for (const prometheus::ClientMetric& metric : family.metric) {
      const auto& buckets = metric.histogram.bucket;
      for (std::size_t i = 1; i < buckets.size(); ++i) {
        EXPECT_LT(buckets[i - 1].upper_bound, buckets[i].upper_bound) << family.name;
      }
    }
  }
}

TEST(MetricsTest, PromtoolFindsNothingToCorrect) {
  if (std::system("command -v promtool > /dev/null") != 0) GTEST_SKIP() << "promtool is not installed";
  const auto file = std::filesystem::path(testing::TempDir()) / "tidegate_metrics_test.txt";
  std::FILE* const out = std::fopen(file.c_str(), "w");
  ASSERT_NE(out, nullptr);
  std::fputs(Page(MakeMetrics(1)).c_str(), out);
  std::fclose(out);
  EXPECT_EQ(std::system(("promtool check metrics < " + file.string()).c_str()), 0);
  std::filesystem::remove(file);
}

}  // namespace
}  // namespace tidegate
