// Models of a running server, seen and changed by `tidegate models`.

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

}  // namespace
}  // namespace tidegate
