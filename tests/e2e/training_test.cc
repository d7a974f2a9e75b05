// `tidegate train` that is stopped and gone on with, and what it writes.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <csignal>
#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/e2e/executables.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

class TrainingTest : public testing::Test {
 protected:
  TrainingTest() {
    std::ofstream file(folder_.path() / "readings.csv");
    file << "time,v\n";
    for (int t = 0; t < 500; ++t) file << t << ',' << 20 + std::sin(0.3 * t) + 0.1 * (t * 7 % 5) << '\n';
  }

  std::vector<std::string> Arguments(const std::string& output, const std::vector<std::string>& more = {},
                                     const std::string& epochs = "200") const {
    std::vector<std::string> arguments = {"train",      Path("readings.csv"),
                                          "--output",   Path(output),
                                          "--name",     "wave",
                                          "--units",    "4",
                                          "--horizon",  "6",
                                          "--epochs",   epochs,
                                          "--patience", "200",
                                          "--sequence", "128",
                                          "--threads",  "2"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  std::string Path(const std::string& name) const { return (folder_.path() / name).string(); }
  std::string Read(const std::string& name) const {
    std::ifstream file(folder_.path() / name, std::ios::binary);
    return {std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  }

  TemporaryFolder folder_;
};

TEST_F(TrainingTest, StoppedAndResumedItMakesTheModelOfATrainingThatRanThrough) {
  const Process::Result whole = RunTidegate(Arguments("whole"));
  ASSERT_EQ(whole.exit_code, 0) << whole.err;
  Process process(TidegateCommand(Arguments("parts")));
  ASSERT_THAT(process.WaitForLine("  epoch   2", absl::Seconds(60)), HasSubstr("validation"));
  process.Signal(SIGINT);
  const Process::Result stopped = process.Wait(absl::Seconds(60));
  EXPECT_EQ(stopped.exit_code, 130);
  EXPECT_THAT(stopped.err, HasSubstr("parts/wave/1 is the best epoch so far"));
  EXPECT_EQ(RunTidegate({"inspect", Path("parts/wave/1")}).exit_code, 0);

  const Process::Result other = RunTidegate(Arguments("parts", {"--resume", "--seed", "2"}));
  EXPECT_EQ(other.exit_code, 1);
  EXPECT_THAT(other.err, HasSubstr("seed was 1, now it is 2"));
  const Process::Result resumed = RunTidegate(Arguments("parts", {"--resume"}));
  ASSERT_EQ(resumed.exit_code, 0) << resumed.err;
  EXPECT_THAT(resumed.out, HasSubstr("Going on after epoch"));
  EXPECT_EQ(Read("parts/wave/2/weights.safetensors"), Read("whole/wave/1/weights.safetensors"));
  EXPECT_THAT(RunTidegate(Arguments("parts", {"--resume"})).err, HasSubstr("no training to go on with"));
}

TEST_F(TrainingTest, WritesALineOfJsonPerEpochAndAPicture) {
  const Process::Result train = RunTidegate(Arguments(
      "m",
      {"--schedule", "exponential", "--schedule-hold", "1", "--schedule-decay", "0.5", "--log", Path("log")},
      "3"));
  ASSERT_EQ(train.exit_code, 0) << train.err;
  EXPECT_EQ(Read("log"), Read("m/wave/1/training.jsonl"));
  EXPECT_THAT(Read("m/wave/1/training.svg"), HasSubstr("Training of wave"));
  std::ifstream log(folder_.path() / "log");
  std::size_t epoch = 0;
  for (std::string line; std::getline(log, line);) {
    const auto json = nlohmann::json::parse(line);
    EXPECT_EQ(json["epoch"], ++epoch);
    EXPECT_NEAR(json["learning_rate"].get<double>(), 3e-3 * std::pow(0.5, epoch - 1), 1e-12);
    for (const char* number : {"loss", "validation", "best", "seconds"})
      EXPECT_GT(json[number].get<double>(), 0);
  }
  EXPECT_EQ(epoch, 3u);
}

TEST_F(TrainingTest, FlagsThatWouldDoNothingOrTooMuchAreRefused) {
  const auto error = [&](const std::vector<std::string>& flags) {
    const Process::Result run = RunTidegate(Arguments("m", flags, "1"));
    EXPECT_NE(run.exit_code, 0);
    return run.err;
  };
  EXPECT_THAT(error({"--dropout", "0.5"}), HasSubstr("--layers 2"));
  EXPECT_THAT(error({"--dropout", "5"}), HasSubstr("0.95"));
  EXPECT_THAT(error({"--each-column", "--target", "value"}), HasSubstr("every column is forecast"));
  EXPECT_THAT(error({"--loss", "mse", "--quantiles", "0.9"}), HasSubstr("give --quantiles 0.5"));
  EXPECT_THAT(error({"--cycle", "1000000000000"}), HasSubstr("1 to 65536"));
  EXPECT_THAT(error({"--cycle", "5000"}), HasSubstr("--cycle 5000: no stream has two of it to learn from"));
  EXPECT_THAT(error({"--segment", "1000000000000"}), HasSubstr("4096"));
  EXPECT_THAT(error({"--segment", "4", "--inputs", "both"}),
              HasSubstr("values less the last of their segment"));
  EXPECT_THAT(error({"--conv-kernel", "3"}), HasSubstr("--conv-kernel requires --conv-filters"));
  EXPECT_THAT(error({"--residual"}), HasSubstr("there is one: give --layers 2"));
  EXPECT_THAT(error({"--window", "32"}), HasSubstr("--sequence with --window"));  // Arguments has it
  EXPECT_THAT(error({"--segment", "4", "--truncation", "16"}), HasSubstr("--truncation with --segment"));
  EXPECT_THAT(error({"--schedule-hold", "3"}), HasSubstr("of --schedule exponential and step"));
  EXPECT_THAT(error({"--quantiles", "0.5,0.7,0.9"}), HasSubstr("expected 0.5, the median, in the middle"));
  EXPECT_THAT(error({"--label-margin", "3"}), HasSubstr("--label-margin requires --label-column"));
  EXPECT_THAT(error({"--interval", "5s", "--time-unit", "ms"}), HasSubstr("--interval excludes --time-unit"));
  EXPECT_THAT(RunTidegate(Arguments("readings.csv", {}, "1")).err, HasSubstr("--output"));
}

TEST_F(TrainingTest, AHorizonIsRoundedUpToWholeSegments) {
  const Process::Result train = RunTidegate(Arguments(
      "m", {"--each-column", "--segment", "4", "--linear-contexts", "16", "--quantiles", "0.5"}, "1"));
  ASSERT_EQ(train.exit_code, 0) << train.err;
  EXPECT_THAT(train.out, HasSubstr("Horizon: 8 steps, as segments of 4 are forecast whole."));
  EXPECT_THAT(RunTidegate({"inspect", Path("m/wave/1")}).out, HasSubstr("value, 8 steps"));
}

}  // namespace
}  // namespace tidegate
