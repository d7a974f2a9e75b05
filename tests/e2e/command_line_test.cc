// What goes wrong before anything runs is said in a sentence, with an exit code that is not zero.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/e2e/executables.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

class CommandLineTest : public testing::Test {
 protected:
  std::string Write(const std::string& text) {
    const std::filesystem::path file = folder_.path() / "readings.csv";
    std::ofstream(file) << text;
    return file.string();
  }

  TemporaryFolder folder_;
};

TEST_F(CommandLineTest, HelpNamesEveryCommand) {
  const Process::Result help = RunTidegate({"--help"});
  EXPECT_EQ(help.exit_code, 0);
  for (const char* command : {"train", "push", "load", "inspect", "models"})
    EXPECT_THAT(help.out, HasSubstr(command));
  EXPECT_EQ(RunTidegate({"train", "--help"}).exit_code, 0);
}

TEST_F(CommandLineTest, UnknownFlagsAndCommandsAreErrors) {
  EXPECT_NE(RunTidegate({}).exit_code, 0);
  EXPECT_NE(RunTidegate({"forecast"}).exit_code, 0);
  const Process::Result flag = RunTidegate({"train", "x.csv", "--epoch", "3"});
  EXPECT_NE(flag.exit_code, 0);
  EXPECT_THAT(flag.err, HasSubstr("--epoch"));
  EXPECT_THAT(RunTidegate({"train", "x.csv", "--interval", "5"}).err, HasSubstr("5s, 250ms or 1h"));
  EXPECT_THAT(RunTidegate({"train", "x.csv", "--interval", "0.5ns"}).err, HasSubstr("from 1ns to a year"));
  EXPECT_EQ(flag.exit_code, 2);
  EXPECT_THAT(RunTidegate({"forecast"}).err, HasSubstr("no command 'forecast'"));
  const Process::Result negative = RunTidegate({"train", "x.csv", "--units", "-1"});
  EXPECT_EQ(negative.exit_code, 2);
  EXPECT_THAT(negative.err, HasSubstr("--units: '-1', expected a whole number from 0 up"));
  EXPECT_EQ(RunTidegate({"--version"}).exit_code, 0);
  const Process::Result config = RunTidegate({"train", "x.csv", "--config", Write("[train]\nunitz=8\n")});
  EXPECT_EQ(config.exit_code, 2);
  EXPECT_THAT(config.err, HasSubstr("unitz"));
  EXPECT_THAT(RunTidegate({"train", "x.csv", "--rows", "9:3"}).err, HasSubstr("FROM must be below TO"));
  EXPECT_THAT(RunTidegate({"train", "x.csv", "--cell", "rnn"}).err, HasSubstr("rnn"));
}

TEST_F(CommandLineTest, AFileThatCannotBeWrittenIsSaidBeforeTheWork) {
  for (const std::vector<std::string>& arguments : std::vector<std::vector<std::string>>{
           {"train", "x.csv", "--log"}, {"tune", "x.csv", "--report"}, {"compare", "x.csv", "--json"}}) {
    std::vector<std::string> wrong = arguments;
    wrong.push_back("/no/such/file");
    const Process::Result result = RunTidegate(wrong);
    EXPECT_EQ(result.exit_code, 2);
    EXPECT_THAT(result.err, HasSubstr(arguments.back() + ": there is no folder /no/such"));
    wrong.back() = folder_.path().string();
    EXPECT_THAT(RunTidegate(wrong).err, HasSubstr("is a folder, expected a file"));
  }
}

TEST_F(CommandLineTest, AFaultyFileIsNamedWithLineAndColumn) {
  const auto error = [this](const std::string& text) {
    const Process::Result train = RunTidegate({"train", Write(text), "--output", folder_.path().string()});
    EXPECT_EQ(train.exit_code, 1);
    return train.err;
  };
  EXPECT_THAT(error("time,v\n1,2\n2,x\n"), HasSubstr("readings.csv:3: column 'v': 'x' is not a number"));
  EXPECT_THAT(error("time,v\n1,2\n2\n"), HasSubstr("readings.csv:3: 1 cell, the header has 2 columns"));
  EXPECT_THAT(error("time,v\n"), HasSubstr("no rows of readings"));
  EXPECT_THAT(error("time,v\n1,2\n2,3\n3,4\n"),
              HasSubstr("readings.csv: stream 'readings': 3 readings are too few"));
  EXPECT_THAT(error(""), HasSubstr("readings.csv: is empty"));
  std::string constant = "time,v\n";
  for (int t = 0; t < 200; ++t) constant += std::to_string(t) + ",5\n";
  EXPECT_THAT(error(constant), HasSubstr("readings.csv: feature 'v' never varies"));
  std::string empty = "time,v\n";
  for (int t = 0; t < 200; ++t) empty += std::to_string(t) + ",\n";
  EXPECT_THAT(error(empty), HasSubstr("readings.csv: feature 'v' has no values"));
  EXPECT_THAT(RunTidegate({"train", Write(constant), "--validation", "2"}).err,
              HasSubstr("--validation is 2, expected between 0 and 1"));
  EXPECT_THAT(RunTidegate({"train", Write("time,v\n1,2\n1,3\n"), "--strict"}).err,
              HasSubstr("readings.csv:3: column 'time': '1' is the same as the time"));
  EXPECT_THAT(RunTidegate({"train", Write("time,v\n1,2\n"), "--values", "temp"}).err,
              HasSubstr("readings.csv:1: no column 'temp'; the columns are time, v"));
  EXPECT_THAT(RunTidegate({"train", "/no/such.csv"}).err, HasSubstr("/no/such.csv: No such file"));
  EXPECT_THAT(RunTidegate({"train", Write("time,v\n1,2\n"), "--target", "w", "--values", "v"}).err,
              HasSubstr("'w'"));
}

TEST_F(CommandLineTest, WhatIsRepairedIsSaidOnce) {
  std::string text = "time,v,constant\n";
  for (int t = 0; t < 200; ++t) {
    const int row = t == 50 ? 51 : t == 51 ? 50 : t == 90 ? 89 : t;  // 50 and 51 in the wrong order, 89 twice
    text += std::to_string(1'700'000'000'000 + 60'000LL * row) + "," + std::to_string(t % 7) + ",1\n";
  }
  const Process::Result train = RunTidegate({"train", Write(text), "--output", folder_.path().string(),
                                             "--epochs", "1", "--horizon", "3", "--units", "2"});
  ASSERT_EQ(train.exit_code, 0) << train.err;
  EXPECT_THAT(train.out,
              HasSubstr("readings.csv: the times are milliseconds since 1970, told by their size.\n"));
  EXPECT_THAT(
      train.out,
      HasSubstr("readings.csv: repaired: 1 duplicate time (kept the first; line 92), 1 reading out of "
                "order (sorted; line 53).\n"));
  EXPECT_THAT(train.out, HasSubstr("readings.csv: column 'constant' never varies, it is always 1.\n"));
  EXPECT_THAT(train.out, HasSubstr("Read 199 readings of 1 stream"));
}

TEST_F(CommandLineTest, AServerThatDoesNotAnswerIsSaidSoon) {
  // Port 1 of the loopback refuses at once; the tool keeps trying for its five seconds.
  const Process::Result push = RunTidegate({"push", Write("time,v\n1,2\n2,3\n"), "--server", "127.0.0.1:1"});
  EXPECT_EQ(push.exit_code, 1);
  EXPECT_THAT(push.err, HasSubstr("no server answers at 127.0.0.1:1 within 5s"));
}

TEST_F(CommandLineTest, InspectConvertsToLesserWeightsAndSaysWhatThatCosts) {
  WriteTinyModel(folder_.path());
  const std::string version = (folder_.path() / "tiny" / "1").string();
  for (const std::string precision : {"bf16", "int8"}) {
    const std::string output = (folder_.path() / precision).string();
    const Process::Result convert =
        RunTidegate({"inspect", version, "--convert", precision, "--output", output});
    EXPECT_EQ(convert.exit_code, 0) << convert.err;
    EXPECT_THAT(convert.out, AllOf(HasSubstr("golden forecasts"), HasSubstr("MAE against")));
    EXPECT_THAT(RunTidegate({"inspect", output}).out, HasSubstr("weights in     " + precision));
    EXPECT_THAT(RunTidegate({"inspect", version, "--convert", precision, "--output", output}).err,
                HasSubstr("name another folder"));
  }
  EXPECT_NE(RunTidegate({"inspect", version, "--convert", "fp8", "--output", "x"}).exit_code, 0);
  EXPECT_NE(RunTidegate({"inspect", version, "--convert", "bf16"}).exit_code, 0);
}

TEST_F(CommandLineTest, InspectRefusesADamagedModel) {
  WriteTinyModel(folder_.path());
  const std::filesystem::path version = folder_.path() / "tiny" / "1";
  EXPECT_EQ(RunTidegate({"inspect", version.string()}).exit_code, 0);
  std::fstream weights(version / "weights.safetensors", std::ios::in | std::ios::out | std::ios::binary);
  weights.seekg(-1, std::ios::end);
  const char last = static_cast<char>(weights.get());
  weights.seekp(-1, std::ios::end);
  weights.put(static_cast<char>(last ^ 1));
  weights.close();
  const Process::Result inspect = RunTidegate({"inspect", version.string()});
  EXPECT_EQ(inspect.exit_code, 1);
  EXPECT_THAT(inspect.err, HasSubstr("weights.safetensors"));
  EXPECT_THAT(RunTidegate({"inspect", "/no/such"}).err, HasSubstr("/no/such"));
}

}  // namespace
}  // namespace tidegate
