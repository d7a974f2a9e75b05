// `tidegate recommend` from the outside: what it prints and writes, that its command trains, and what it
// refuses.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "tests/e2e/executables.h"

namespace tidegate {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class RecommendTest : public testing::Test {
 protected:
  std::string Path(const char* name) const { return (folder_.path() / name).string(); }
  nlohmann::json Json(const char* name) const { return nlohmann::json::parse(std::ifstream(Path(name))); }

  TemporaryFolder folder_;
};

TEST_F(RecommendTest, MeasuresAFileAndItsCommandTrains) {
  const std::filesystem::path demo = std::filesystem::path(TIDEGATE_SOURCE_DIR) / "clients/demo/readings.csv";
  const Process::Result run = RunTidegate(
      {"recommend", demo.string(), "--time-column", "reading", "--interval", "5s", "--stream-column",
       "mote_id", "--values", "temperature,humidity", "--label-column", "label", "--json", Path("r.json")});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("18,914 of 4 streams"), HasSubstr("memory, probe"),
                             HasSubstr("Recommended: "), HasSubstr("family: "), HasSubstr("because"),
                             HasSubstr("rule"), HasSubstr("Train it:\n  tidegate train ")));
  const auto json = Json("r.json");
  EXPECT_EQ(json["data"]["readings"], 18'914);
  EXPECT_EQ(json["data"]["features"], 2);
  EXPECT_GT(json["recommendation"]["step_seconds"], 0);
  EXPECT_TRUE(json["recommendation"]["allowed_seconds"].is_null());
  EXPECT_GE(json["recommendation"]["reasons"].size(), 3u);

  const std::string command = json["train_command"];
  EXPECT_THAT(run.out, HasSubstr(command));
  std::vector<std::string> words = absl::StrSplit(command, ' ');  // nothing in it needs quotes
  words.erase(words.begin());
  words.insert(words.end(),
               {"--epochs", "1", "--epoch-sequences", "4", "--rows", "0:600", "--output", Path("models")});
  const Process::Result train = RunTidegate(words);
  EXPECT_EQ(train.exit_code, 0) << command << '\n' << train.err;
}

TEST_F(RecommendTest, TakesADescriptionAndABudgetInPlaceOfAFile) {
  const std::string description =
      "interval=10s,memory=300,season=8640,missing=0.01,streams=1000,features=1,readings=5000";
  Process::Result run = RunTidegate({"recommend", "--describe", description, "--json", Path("r.json")});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("Recommended: lstm, 128 units, context 512"),
                             HasSubstr("tidegate train READINGS.csv --cell lstm --units 128"),
                             HasSubstr("--cycle 8640")));
  EXPECT_EQ(Json("r.json")["data"]["readings"], 5'000'000);

  run = RunTidegate({"recommend", "--describe", description, "--streams-per-core", "100000000"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, AllOf(HasSubstr("Recommended: gru, 8 units"), HasSubstr("budget: not kept")));

  run = RunTidegate({"recommend", "--describe", description, "--bounded-window", "--horizon", "6"});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("--bidirectional --window 128 --horizon 6"));
}

TEST_F(RecommendTest, SaysWhatIsWrong) {
  const auto error = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "recommend");
    const Process::Result run = RunTidegate(arguments);
    EXPECT_NE(run.exit_code, 0);
    return run.err;
  };
  EXPECT_THAT(error({}), HasSubstr("neither a CSV file nor --describe"));
  EXPECT_THAT(error({"a.csv", "--describe", "memory=3"}), HasSubstr("expected one of them"));
  EXPECT_THAT(error({"--describe", "colour=red"}),
              HasSubstr("'colour' is no key, expected interval, memory, readings"));
  EXPECT_THAT(error({"--describe", "interval=10s,memory=far"}),
              HasSubstr("memory is 'far', expected readings that a forecast profits from, 1 to 4096"));
  EXPECT_THAT(error({"--describe", "interval=0s"}), HasSubstr("interval is '0s', expected a duration"));
  EXPECT_THAT(error({"--describe", "interval=1s,missing=2"}), HasSubstr("missing is '2', expected a share"));
  EXPECT_THAT(error({"--describe", "memory=3,memory=4"}), HasSubstr("'memory' is given twice"));
  EXPECT_THAT(error({"--describe", "interval=1s,memory=3"}), HasSubstr("readings is missing"));

  std::ofstream file(Path("few.csv"));
  file << "time,value\n";
  for (int t = 0; t < 50; ++t) file << t << ',' << t % 7 << '\n';
  file.close();
  EXPECT_THAT(error({Path("few.csv")}), AllOf(HasSubstr("few.csv: the longest stretch"),
                                              HasSubstr("has 50 readings, expected at least 112")));
}

}  // namespace
}  // namespace tidegate
