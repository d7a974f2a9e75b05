// Train, serve, push, compare, look at the metrics: the way of the README, small.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/e2e/executables.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

constexpr char kTableCsv[] = TIDEGATE_SOURCE_DIR "/clients/demo/readings.csv";

std::vector<std::string> Arguments(const std::string& command, const std::vector<std::string>& more) {
  std::vector<std::string> arguments = {command,           kTableCsv,
                                        "--time-column",   "reading",
                                        "--interval",      "5s",
                                        "--stream-column", "mote_id",
                                        "--values",        "temperature,humidity",
                                        "--label-column",  "label",
                                        "--streams",       "1,3"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

nlohmann::json ReadJson(const std::filesystem::path& file) {
  std::ifstream in(file);
  return nlohmann::json::parse(in);
}

// A model trained once for all tests of this file, and a server for each.
class FeedTest : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new TemporaryFolder();
    const Process::Result train = RunTidegate(
        Arguments("train", {"--rows", "0:900", "--name", "motes", "--output", Models().string(), "--units",
                            "8", "--horizon", "6", "--epochs", "3", "--threads", "1"}));
    ASSERT_EQ(train.exit_code, 0) << train.err;
    EXPECT_THAT(train.out, HasSubstr("Read 1,800 readings of 2 streams"));
    EXPECT_THAT(train.out, HasSubstr("epoch   3 of 3"));
    EXPECT_THAT(train.out, HasSubstr("Model: " + (Models() / "motes" / "1").string()));
    EXPECT_THAT(train.out, HasSubstr("of the last value"));
  }
  static void TearDownTestSuite() {
    delete folder_;
    folder_ = nullptr;
  }
  static std::filesystem::path Models() { return folder_->path() / "models"; }

  // Pushes 300 rows of 2 streams; returns the summary.
  nlohmann::json Push(const RunningServer& server, const std::vector<std::string>& more) {
    const std::filesystem::path file = folder_->path() / "summary.json";
    std::vector<std::string> arguments = {"--rows",      "900:1200", "--server",
                                          server.grpc(), "--json",   file.string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Process::Result push = RunTidegate(Arguments("push", arguments));
    EXPECT_EQ(push.exit_code, 0) << push.err;
    page_ = push.out;
    return ReadJson(file);
  }

  static TemporaryFolder* folder_;
  std::string page_;  // what the last push printed
};
TemporaryFolder* FeedTest::folder_ = nullptr;

void ExpectWholeFeed(const nlohmann::json& summary) {
  EXPECT_EQ(summary["readings"], 600);
  EXPECT_EQ(summary["messages"], 300);
  EXPECT_EQ(summary["outcomes"], nlohmann::json({{"APPLIED", 600}}));
  ASSERT_EQ(summary["steps"].size(), 6u);
  EXPECT_EQ(summary["steps"][0]["forecasts"], 2 * 299);
  EXPECT_EQ(summary["steps"][5]["forecasts"], 2 * 294);
  EXPECT_GT(summary["latency_seconds"]["p50"], 0);
  EXPECT_LE(summary["latency_seconds"]["p50"], summary["latency_seconds"]["p99"]);
  EXPECT_LE(summary["latency_seconds"]["p99"], summary["latency_seconds"]["max"]);
}

TEST_F(FeedTest, EveryReadingIsAnsweredScoredAndCounted) {
  RunningServer server(Models());
  ExpectWholeFeed(Push(server, {}));
  for (const char* said : {"300 ticks 5s apart", "beside what then came", "against persistence",
                           "anomaly score", "Outcomes: APPLIED 600.", "p50", "readings/s"}) {
    EXPECT_THAT(page_, HasSubstr(said));
  }
  const std::string metrics = server.Scrape();
  EXPECT_EQ(Sample(metrics, "tidegate_readings_total{model=\"motes\",outcome=\"applied\"}"), 600) << metrics;
  EXPECT_EQ(Sample(metrics, "tidegate_streams{model=\"motes\"}"), 2) << metrics;
  EXPECT_EQ(server.Stop().exit_code, 0);
}

TEST_F(FeedTest, UnaryAndStreamedFeedsGiveTheSameForecasts) {
  RunningServer server(Models());
  const nlohmann::json streamed = Push(server, {});
  const nlohmann::json unary = Push(server, {"--unary", "--stream-prefix", "again-"});
  ExpectWholeFeed(unary);
  EXPECT_EQ(unary["steps"], streamed["steps"]);
  EXPECT_EQ(unary["unusual"][0]["stream"], "again-" + streamed["unusual"][0]["stream"].get<std::string>());
}

// By its flags a file may mean other columns than the model's; of a model of channels, each is a stream.
TEST_F(FeedTest, ColumnsArePushedAsTheModelTakesThem) {
  const TemporaryFolder models;
  std::filesystem::copy(Models() / "motes", models.path() / "motes",
                        std::filesystem::copy_options::recursive);
  const Process::Result train =
      RunTidegate(Arguments("train", {"--rows", "0:300", "--name", "columns", "--output",
                                      models.path().string(), "--each-column", "--units", "4", "--horizon",
                                      "4", "--linear-contexts", "16", "--epochs", "1", "--threads", "1"}));
  ASSERT_EQ(train.exit_code, 0) << train.err;
  RunningServer server(models.path(), {"--default-model", "motes"});
  const nlohmann::json channels = Push(server, {"--model", "columns"});
  EXPECT_EQ(channels["readings"], 1200) << "of four streams: two columns of two motes";
  EXPECT_EQ(channels["outcomes"], nlohmann::json({{"APPLIED", 1200}}));
  v1::GetStreamRequest request;
  request.set_stream_id("3/humidity");
  v1::StreamInfo stream;
  grpc::ClientContext context;
  EXPECT_TRUE(server.Stub()->GetStream(&context, request, &stream).ok());

  const auto push = [&](const std::string& flag, const std::string& value) {
    std::vector<std::string> arguments = Arguments("push", {"--server", server.grpc(), flag, value});
    if (flag == "--values") arguments.erase(arguments.begin() + 8, arguments.begin() + 10);
    const Process::Result result = RunTidegate(arguments);
    EXPECT_EQ(result.exit_code, 1);
    return result.err;
  };
  EXPECT_THAT(push("--values", "humidity,temperature"), HasSubstr("give --values temperature,humidity"));
  EXPECT_THAT(push("--values", "humidity"), HasSubstr("model 'motes' takes temperature,humidity"));
  EXPECT_THAT(push("--target", "humidity"), HasSubstr("give --target temperature"));
}

TEST_F(FeedTest, PushedTwiceOnlyTheLastReadingsAreSentAgain) {
  RunningServer server(Models());
  Push(server, {});
  const Process::Result again =
      RunTidegate(Arguments("push", {"--rows", "900:1200", "--server", server.grpc()}));
  EXPECT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(again.out, HasSubstr("Outcomes: DUPLICATE 2.\n  598 readings were not sent"));
  EXPECT_THAT(again.out, HasSubstr("The server has all of these readings already"));
  EXPECT_THAT(again.out, HasSubstr("--stream-prefix"));
  // One call per message knows nothing of what is there.
  const Process::Result unary =
      RunTidegate(Arguments("push", {"--rows", "900:1200", "--server", server.grpc(), "--unary"}));
  EXPECT_EQ(unary.exit_code, 1);
  EXPECT_THAT(unary.out, HasSubstr("Outcomes: DUPLICATE 2, LATE 598."));
  EXPECT_THAT(unary.out, HasSubstr("readings.csv:902: stream '1': LATE"));
  EXPECT_THAT(unary.err, HasSubstr("--stream-prefix"));
}

TEST_F(FeedTest, AFeedOfAnotherIntervalOrModelIsRefused) {
  RunningServer server(Models());
  const auto push = [&](const std::vector<std::string>& more) {
    std::vector<std::string> arguments = {"--rows", "900:910", "--server", server.grpc()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunTidegate(Arguments("push", arguments));
  };
  EXPECT_THAT(push({"--model", "other"}).err, HasSubstr("other"));
  std::vector<std::string> slow = Arguments("push", {"--server", server.grpc(), "--rows", "0:10"});
  *(std::find(slow.begin(), slow.end(), "--interval") + 1) = "1m";
  EXPECT_THAT(RunTidegate(slow).err, HasSubstr("the readings are 1m apart, the model takes one every 5s"));
}

TEST_F(FeedTest, InspectChecksAndDescribes) {
  const std::string model = (Models() / "motes" / "1").string();
  const Process::Result text = RunTidegate({"inspect", model});
  EXPECT_EQ(text.exit_code, 0) << text.err;
  for (const char* said :
       {"Model 'motes'", "gru 8", "temperature, 6 steps, 30s", "of the network's state", "verified"}) {
    EXPECT_THAT(text.out, HasSubstr(said));
  }
  const auto json = nlohmann::json::parse(RunTidegate({"inspect", model, "--json"}).out);
  EXPECT_EQ(json["name"], "motes");
  EXPECT_EQ(json["golden_pair"], "verified");
  // GRU: 3 gates x 8 units x (2 inputs + 8 units + 2 biases); head: 6 steps x 3 quantiles x (8 + 1).
  EXPECT_EQ(json["parameters"], 3 * 8 * (2 + 8 + 2) + 6 * 3 * (8 + 1));
}

TEST_F(FeedTest, TrainingAgainWritesTheNextVersion) {
  const Process::Result train = RunTidegate(
      Arguments("train", {"--rows", "0:400", "--name", "twice", "--output", Models().string(), "--units", "4",
                          "--horizon", "3", "--epochs", "1", "--cell", "lstm", "--inputs", "both"}));
  ASSERT_EQ(train.exit_code, 0) << train.err;
  const Process::Result again = RunTidegate(
      Arguments("train", {"--rows", "0:400", "--name", "twice", "--output", Models().string(), "--units", "4",
                          "--epochs", "1", "--cell", "glu_gru", "--conv-filters", "3", "--dropout", "0.1"}));
  ASSERT_EQ(again.exit_code, 0) << again.err;
  EXPECT_THAT(RunTidegate({"inspect", (Models() / "twice" / "1").string()}).out, HasSubstr("lstm 4"));
  EXPECT_THAT(RunTidegate({"inspect", (Models() / "twice" / "2").string()}).out,
              HasSubstr("conv1d 3 kernel 5 relu, glu_gru 4"));
}

}  // namespace
}  // namespace tidegate
