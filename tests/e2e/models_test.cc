// Models and streams of a running server, seen and changed by `tidegate models` and `tidegate streams`.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/e2e/executables.h"

namespace tidegate {
namespace {

using testing::HasSubstr;
using testing::Not;

TEST(ModelsTest, AreListedLoadedAndUnloadedWhileTheServerServes) {
  const TemporaryFolder folder;
  WriteTinyModel(folder.path());
  RunningServer server(folder.path(), {"--shards", "2"});
  const auto models = [&](std::vector<std::string> more) {
    more.insert(more.begin(), {"models", "--server", server.grpc()});
    return RunTidegate(more);
  };
  const Process::Result listed = models({});
  EXPECT_EQ(listed.exit_code, 0) << listed.err;
  EXPECT_THAT(listed.out, HasSubstr("tiny"));
  EXPECT_THAT(listed.out, HasSubstr("temperature"));

  std::filesystem::copy(folder.path() / "tiny" / "1", folder.path() / "tiny" / "2");
  const Process::Result second = models({"--load", "tiny:2"});
  EXPECT_EQ(second.exit_code, 1);
  EXPECT_THAT(second.err, HasSubstr("unload it first"));
  EXPECT_THAT(models({"--unload", "tiny"}).out, HasSubstr("0 streams deleted"));
  EXPECT_THAT(server.Scrape(), Not(HasSubstr("model=\"tiny\"")));
  const Process::Result loaded = models({"--load", "tiny", "--set-default", "tiny"});
  EXPECT_EQ(loaded.exit_code, 0) << loaded.err;
  EXPECT_THAT(loaded.out, HasSubstr("Model 'tiny' version 2 is served."));
  EXPECT_THAT(server.Scrape(), HasSubstr("model=\"tiny\""));

  EXPECT_THAT(models({"--load", "tiny:two"}).err, HasSubstr("NAME:VERSION"));
  EXPECT_THAT(models({"--load", "../tiny"}).err, HasSubstr("no name for a model"));
  EXPECT_NE(models({"--delete-streams"}).exit_code, 0);  // it needs --unload
  EXPECT_EQ(server.Stop().exit_code, 0);
}

TEST(StreamsTest, AreListedShownResetAndDeleted) {
  const TemporaryFolder folder;
  WriteTinyModel(folder.path());
  RunningServer server(folder.path(), {"--shards", "2"});
  const auto run = [&](std::vector<std::string> arguments) {
    arguments.insert(arguments.begin() + 1, {"--server", server.grpc()});
    return RunTidegate(arguments);
  };
  for (const char* prefix : {"a-", "b-"}) {
    const Process::Result load = run({"load", "--features", "2", "--stream-prefix", prefix, "--streams", "30",
                                      "--warm-up", "0s", "--duration", "100ms"});
    ASSERT_EQ(load.exit_code, 0) << load.err;
  }
  EXPECT_THAT(run({"streams"}).out, AllOf(HasSubstr("60 streams."), HasSubstr("a-29 "), HasSubstr("b-0 ")));
  EXPECT_THAT(run({"streams", "--limit", "3"}).out, HasSubstr("of which the first 3 are shown"));
  EXPECT_THAT(run({"streams", "--model", "other"}).err, HasSubstr("no model 'other'"));
  EXPECT_THAT(run({"streams", "a-7"}).out, AllOf(HasSubstr("tiny"), HasSubstr("step ahead")));
  EXPECT_THAT(run({"streams", "--reset", "a-7"}).out, HasSubstr("begins anew"));
  EXPECT_THAT(run({"streams", "a-7"}).out, HasSubstr(" - "));  // no last reading
  EXPECT_THAT(run({"streams", "--delete", "a-7"}).out, HasSubstr("is deleted"));
  const Process::Result gone = run({"streams", "a-7"});
  EXPECT_EQ(gone.exit_code, 1);
  EXPECT_THAT(gone.err, HasSubstr("no stream 'a-7'"));
  EXPECT_NE(run({"streams", "--delete-all"}).exit_code, 0);  // of which?
  EXPECT_THAT(run({"streams", "--prefix", "a-", "--delete-all"}).out, HasSubstr("29 streams deleted."));
  EXPECT_THAT(run({"streams"}).out, AllOf(HasSubstr("30 streams."), Not(HasSubstr("a-"))));
}

}  // namespace
}  // namespace tidegate
