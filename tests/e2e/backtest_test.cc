// `tidegate backtest` from the outside: what it prints and writes, and what it refuses.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/e2e/executables.h"

namespace tidegate {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;

class BacktestTest : public testing::Test {
 protected:
  BacktestTest() { WriteTinyModel(folder_.path()); }

  // Readings so many seconds apart.
  // late: seconds that each third reading is later than an interval after the one before.
  std::string Readings(int rows, int interval = 1, double late = 0) {
    std::ofstream file(folder_.path() / "readings.csv");
    file << "time,temperature,humidity\n";
    for (int t = 0; t < rows; ++t)
      file << t * interval + std::floor(t / 3.0) * late << ',' << 20 + 3 * std::sin(0.4 * t) << ','
           << 50 + t % 3 << '\n';
    return (folder_.path() / "readings.csv").string();
  }

  std::string Path(const char* name) const { return (folder_.path() / name).string(); }
  std::string Read(const char* name) const {
    std::ifstream file(folder_.path() / name);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  TemporaryFolder folder_;
};

TEST_F(BacktestTest, PrintsTheTableAndWritesJsonAndAPage) {
  const Process::Result run =
      RunTidegate({"backtest", Path("tiny/1"), Readings(400), "--from", "250", "--season", "16", "--json",
                   Path("r.json"), "--report", Path("r.html")});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out,
              AllOf(HasSubstr("from row 250"), HasSubstr("16 readings (as asked)"), HasSubstr("model"),
                    HasSubstr("last value"), HasSubstr("season ago"), HasSubstr("linear"),
                    HasSubstr("Coverage of the 80 % interval"), HasSubstr("us each")));
  const auto json = nlohmann::json::parse(Read("r.json"));
  ASSERT_EQ(json["horizons"].size(), 2u);  // 1 and 3; a quarter and a half of 3 are 1 or less
  EXPECT_EQ(json["horizons"][1]["steps"], 3);
  EXPECT_EQ(json["horizons"][1]["origins"], 400 - 250 - 3 + 1);
  EXPECT_EQ(json["horizons"][1]["errors"]["linear"]["targets"], 3 * 148);
  EXPECT_LT(json["horizons"][1]["errors"]["linear"]["mae"],
            json["horizons"][1]["errors"]["last_value"]["mae"]);
  EXPECT_TRUE(json["horizons"][1]["errors"]["last_value"]["pinball"].is_null());
  EXPECT_EQ(json["steps_ahead"].size(), 3u);
  EXPECT_EQ(json["calibration"].size(), 3u);
  const std::string page = Read("r.html");
  EXPECT_THAT(page, AllOf(HasSubstr("<svg"), HasSubstr("prefers-color-scheme:dark"), Not(HasSubstr("http")),
                          Not(HasSubstr("nan")), Not(HasSubstr("<script"))));
}

TEST_F(BacktestTest, ForecastsMadeAnewFromAWindowStandBesideThoseOfTheState) {
  const Process::Result run =
      RunTidegate({"backtest", Path("tiny/1"), Readings(400), "--from", "250", "--window", "32", "--json",
                   Path("r.json"), "--report", Path("r.html")});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_THAT(run.out, HasSubstr("Each made anew from the last 32 readings:"));
  const auto json = nlohmann::json::parse(Read("r.json"));
  EXPECT_EQ(json["windowed"]["readings"], 32);
  EXPECT_EQ(json["windowed"]["horizons"][1]["origins"], json["horizons"][1]["origins"]);
  // A state forgets: after 32 readings it is nearly that of all of them.
  EXPECT_NEAR(json["windowed"]["horizons"][1]["errors"]["model"]["mae"].get<double>() /
                  json["horizons"][1]["errors"]["model"]["mae"].get<double>(),
              1, 0.02);
  EXPECT_THAT(Read("r.html"), HasSubstr("made anew from the last 32 readings"));
  EXPECT_THAT(
      RunTidegate({"backtest", Path("tiny/1"), Readings(400), "--from", "250", "--window", "5000"}).err,
      HasSubstr("--window: model spec: window: 5000"));
}

TEST_F(BacktestTest, TheTestPartBeginsAtItsRowThoughReadingsAreNotExactlyAnIntervalApart) {
  const Process::Result run = RunTidegate(
      {"backtest", Path("tiny/1"), Readings(300, 1, 0.2), "--from", "240", "--json", Path("r.json")});
  ASSERT_EQ(run.exit_code, 0) << run.err;
  EXPECT_EQ(nlohmann::json::parse(Read("r.json"))["horizons"][1]["origins"], 300 - 240 - 3 + 1);
}

TEST_F(BacktestTest, RefusesWhatDoesNotFitTheModel) {
  const auto error = [&](std::vector<std::string> more, const std::string& file) {
    std::vector<std::string> arguments = {"backtest", Path("tiny/1"), file};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const Process::Result run = RunTidegate(arguments);
    EXPECT_NE(run.exit_code, 0);
    return run.err;
  };
  EXPECT_THAT(error({}, Readings(400, 60)),
              HasSubstr("readings are 1m apart, model 'tiny' takes one every 1s"));
  EXPECT_THAT(error({"--values", "temperature"}, Readings(400)),
              HasSubstr("the values are temperature; model"));
  EXPECT_THAT(error({"--values", "humidity,temperature"}, Readings(400)),
              HasSubstr("the values are humidity,temperature; model 'tiny' takes temperature,humidity and "
                        "forecasts temperature: give --values temperature,humidity"));
  EXPECT_THAT(error({"--target", "humidity"}, Readings(400)), HasSubstr("give --target temperature"));
  EXPECT_THAT(error({"--horizons", "9"}, Readings(400)), HasSubstr("horizon 9"));
  EXPECT_THAT(error({"--from", "399"}, Readings(400)),
              HasSubstr("readings.csv: the longest test part has 1 rows"));
  EXPECT_THAT(error({"--parts"}, Readings(400)), HasSubstr("model 'tiny' has no linear path"));
  EXPECT_THAT(error({"--from", "many"}, Readings(400)), HasSubstr("neither a row number nor a percentage"));
}

}  // namespace
}  // namespace tidegate
