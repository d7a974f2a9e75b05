// The commands that help to choose a model, on a small file.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/time/clock.h"
#include "tests/e2e/executables.h"

namespace tidegate {
namespace {

using testing::HasSubstr;
using testing::Not;

class ChoosingTest : public testing::Test {
 protected:
  ChoosingTest() : file_(Path("readings.csv")) {
    std::ofstream csv(file_);
    csv << "time,height\n";
    for (int i = 0; i < 2'000; ++i)
      csv << 1'000'000 + i << ',' << std::sin(0.2 * i) + 0.01 * (i * 7919 % 13) << '\n';
  }

  std::string Path(const std::string& name) const { return (folder_.path() / name).string(); }
  std::string Text(const std::string& name) const {
    std::ifstream in(Path(name));
    return {std::istreambuf_iterator<char>(in), {}};
  }
  nlohmann::json Json(const std::string& name) const { return nlohmann::json::parse(Text(name)); }

  std::vector<std::string> Tune(const std::vector<std::string>& more) const {
    std::vector<std::string> arguments = {"tune",     file_,          "--horizon", "6",
                                          "--output", Path("models"), "--json",    Path("tune.json")};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }

  TemporaryFolder folder_;
  std::string file_;
};

TEST_F(ChoosingTest, ASearchEndsWithAModelThatIsServedAndAPage) {
  const Process::Result result = RunTidegate(Tune({"--budget", "8s", "--report", Path("tune.html")}));
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr(", rung 1: "));
  EXPECT_THAT(result.out, HasSubstr("Model: " + Path("models/tuned/1")));
  const nlohmann::json json = Json("tune.json");
  EXPECT_GE(json["candidates"].size(), 9U);
  const nlohmann::json& winner = json["finalists"][0];
  for (const nlohmann::json& candidate : json["candidates"])
    EXPECT_GE(candidate["validation_loss"], winner["validation_loss"]);
  EXPECT_LT(winner["test"]["mae"], winner["test"]["last_value_mae"]);
  EXPECT_EQ(RunTidegate({"inspect", Path("models/tuned/1")}).exit_code, 0);
  const RunningServer server(folder_.path() / "models");
  const std::string page = Text("tune.html");
  EXPECT_THAT(page, HasSubstr("<svg"));
  EXPECT_THAT(page, Not(HasSubstr("http")));  // nothing outside it
  EXPECT_FALSE(std::filesystem::exists(Path("models/tuned/.tune")));
}

TEST_F(ChoosingTest, ASearchThatWasStoppedKeepsWhatItFoundAndGoesOn) {
  Process search(TidegateCommand(Tune({"--budget", "120s"})));
  const absl::Time limit = absl::Now() + absl::Minutes(1);
  while (!std::filesystem::exists(Path("models/tuned/.tune/trial-3"))) ASSERT_LT(absl::Now(), limit);
  search.Signal(SIGINT);
  const Process::Result stopped = search.Wait(absl::Minutes(1));
  EXPECT_EQ(stopped.exit_code, 130) << stopped.err;
  EXPECT_THAT(stopped.err, HasSubstr("with --resume the search goes on"));
  EXPECT_TRUE(std::filesystem::exists(Path("models/tuned/1/model.json")));
  const std::size_t before = Json("tune.json")["candidates"].size();
  // As a process that was killed while it wrote: half a line, half a checkpoint.
  std::ofstream(Path("models/tuned/.tune/trials.jsonl"), std::ios::app) << R"({"trial": 1, "ru)";
  for (const auto& entry : std::filesystem::directory_iterator(Path("models/tuned/.tune"))) {
    if (entry.path().extension() == ".checkpoint") std::filesystem::resize_file(entry.path(), 100);
  }

  const Process::Result other = RunTidegate(Tune({"--budget", "20s", "--resume", "--seed", "2"}));
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.err, HasSubstr("is of a search with other readings or flags"));
  const Process::Result result = RunTidegate(Tune({"--budget", "10s", "--resume"}));
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("Going on after"));
  EXPECT_GE(Json("tune.json")["candidates"].size(), before);
  EXPECT_TRUE(std::filesystem::exists(Path("models/tuned/2/model.json")));
}

TEST_F(ChoosingTest, WhatCannotBeSearchedIsSaid) {
  Process::Result result = RunTidegate(Tune({"--budget", "2s", "--latency-budget", "1ns"}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("no candidate could be trained within the budgets"));
  result = RunTidegate({"tune", file_, "--budget", "2s", "--horizon", "500"});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("before the test part no stream has 2196 readings without a longer gap"));
  result = RunTidegate(Tune({"--resume", "--name", "other"}));
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("there is no search to go on with"));
  EXPECT_NE(RunTidegate(Tune({"--budget", "soon"})).exit_code, 0);
}

TEST_F(ChoosingTest, EveryFamilyIsComparedWithTheGru) {
  const Process::Result result = RunTidegate({"compare", file_, "--horizon", "6", "--budget", "6s", "--json",
                                              Path("compare.json"), "--report", Path("compare.html")});
  ASSERT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("18 of 18"));
  EXPECT_THAT(result.out, HasSubstr(", a linear autoregression by "));
  const nlohmann::json families = Json("compare.json")["families"];
  ASSERT_EQ(families.size(), 9U);
  for (const nlohmann::json& family : families) {
    EXPECT_GT(family["parameters"], 1'000);
    EXPECT_GT(family["step_seconds"], 0);
    EXPECT_GT(family["step_seconds_of_64"], 0);
    EXPECT_EQ(family.contains("state_carried_on"), family["family"] != "bidirectional_gru");
    for (const char* context : {"last_64_readings", "last_256_readings"}) {
      EXPECT_GE(family[context]["p"], 0);
      if (family["family"] == "gru") {
        EXPECT_EQ(family[context]["against_gru"], 0);
      }
    }
  }
  EXPECT_THAT(Text("compare.html"), HasSubstr("<svg"));
}

}  // namespace
}  // namespace tidegate
