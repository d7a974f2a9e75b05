// `tidegate load` against a real server: every reading is applied, and what it reports adds up.

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

class LoadTest : public testing::Test {
 protected:
  LoadTest() { WriteTinyModel(folder_.path() / "models"); }

  std::filesystem::path Models() const { return folder_.path() / "models"; }

  // A load of a second on `server`; returns its JSON.
  nlohmann::json Load(const RunningServer& server, std::vector<std::string> more) {
    const std::filesystem::path file = folder_.path() / "load.json";
    std::vector<std::string> arguments = {"load",        "--server",  server.grpc(), "--features", "2",
                                          "--warm-up",   "100ms",     "--duration",  "1s",         "--json",
                                          file.string(), "--streams", "50"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Process::Result result = RunTidegate(arguments);
    EXPECT_EQ(result.exit_code, 0) << result.err;
    page_ = result.out;
    std::ifstream in(file);
    return nlohmann::json::parse(in);
  }

  TemporaryFolder folder_;
  std::string page_;  // what the last load printed
};

void ExpectAllApplied(const nlohmann::json& load, int batch) {
  EXPECT_GT(load["messages"], 0);
  EXPECT_EQ(load["readings"], load["messages"].get<int>() * batch);
  EXPECT_EQ(load["outcomes"], nlohmann::json({{"APPLIED", load["readings"]}}));
  EXPECT_EQ(load["unanswered_messages"], 0);
  EXPECT_EQ(load["interval_ns"], 1'000'000'000);
  const nlohmann::json& latency = load["latency_seconds"];
  EXPECT_GT(latency["p50"], 0);
  EXPECT_LE(latency["p50"], latency["p99"]);
  EXPECT_LE(latency["p99"], latency["p99.9"]);
  EXPECT_LE(latency["p99.9"], latency["max"]);
}

TEST_F(LoadTest, AnOpenLoopSendsWhatItIsAskedFor) {
  RunningServer server(Models());
  const std::filesystem::path csv = folder_.path() / "load.csv";
  const nlohmann::json load = Load(server, {"--rate", "2000", "--arrivals", "fixed", "--batch", "4",
                                            "--calls", "3", "--connections", "2", "--csv", csv.string()});
  ExpectAllApplied(load, 4);
  EXPECT_EQ(load["messages"], 500);
  EXPECT_EQ(load["asked_readings_per_second"], 2000);
  EXPECT_EQ(load["horizon"], 3);
  EXPECT_EQ(load["quantiles"], 3);
  EXPECT_THAT(page_, HasSubstr("Outcomes: APPLIED 2,000."));
  EXPECT_THAT(page_, HasSubstr("p99.9"));
  std::ifstream in(csv);
  std::string header, values;
  std::getline(in, header);
  std::getline(in, values);
  EXPECT_EQ(std::count(header.begin(), header.end(), ','), std::count(values.begin(), values.end(), ','));
}

TEST_F(LoadTest, AClosedLoopGoesOnWhereTheStreamsAre) {
  RunningServer server(Models());
  ExpectAllApplied(Load(server, {"--batch", "64", "--calls", "2", "--acknowledge-only"}), 64);
  const nlohmann::json again = Load(server, {"--horizon", "2", "--quantiles", "0.5"});
  ExpectAllApplied(again, 1);
  EXPECT_EQ(again["horizon"], 2);
  EXPECT_EQ(again["quantiles"], 1);
  EXPECT_EQ(again["asked_readings_per_second"], nullptr);
  EXPECT_EQ(server.Stop().exit_code, 0);
}

TEST_F(LoadTest, UnaryLoadsComeByPush) {
  RunningServer server(Models());
  ExpectAllApplied(Load(server, {"--unary", "--rate", "1000"}), 1);
  ExpectAllApplied(Load(server, {"--unary", "--window", "4"}), 1);
  EXPECT_GT(Sample(server.Scrape(), "tidegate_requests_total{method=\"Push\",code=\"OK\"}"), 500);
}

TEST_F(LoadTest, ErrorsSayWhatToDo) {
  RunningServer server(Models());
  const auto error = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"load", "--server", server.grpc(), "--duration", "100ms"});
    const Process::Result result = RunTidegate(more);
    EXPECT_EQ(result.exit_code, 1);
    return result.err;
  };
  EXPECT_THAT(error({}), HasSubstr("model 'tiny' takes 2 values a reading"));
  EXPECT_THAT(error({"--calls", "4"}), HasSubstr("model 'tiny' takes 2 values a reading"));
  EXPECT_THAT(error({"--model", "other"}), HasSubstr("other"));
  EXPECT_THAT(error({"--horizon", "9"}), HasSubstr("model 'tiny' forecasts 3"));
  EXPECT_THAT(error({"--calls", "2", "--streams", "1"}), HasSubstr("every call needs a stream"));
  EXPECT_THAT(RunTidegate({"load", "--server", "127.0.0.1:1"}).err, HasSubstr("is tidegate-server running"));
  EXPECT_THAT(RunTidegate({"load", "--rate", "some"}).err, HasSubstr("neither readings per second nor max"));
}

}  // namespace
}  // namespace tidegate
