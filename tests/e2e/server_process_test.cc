// The server as a process: how it starts, refuses to start, and ends.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"
#include "tests/e2e/executables.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

TEST(ServerProcessTest, SigtermEndsAnOpenCallAndTheServerWithZero) {
  TemporaryFolder models;
  WriteTinyModel(models.path());
  RunningServer server(models.path());
  const auto stub = server.Stub();
  grpc::ClientContext context;
  const auto stream = stub->Stream(&context);
  ASSERT_TRUE(stream->Write(OneReading()));
  v1::PushResponse response;
  ASSERT_TRUE(stream->Read(&response));
  EXPECT_EQ(response.outcome(0), v1::OUTCOME_APPLIED);
  const Process::Result result = server.Stop();
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_FALSE(stream->Read(&response));
}

TEST(ServerProcessTest, ServesOnThroughItsDrainDelayAndEndsAtOnceWithASecondSigterm) {
  TemporaryFolder models;
  WriteTinyModel(models.path());
  RunningServer server(models.path(), {"--drain-delay", "600"});
  EXPECT_EQ(RunServer({"--health", server.grpc()}).exit_code, 0);
  kill(server.pid(), SIGTERM);
  while (RunServer({"--health", server.grpc()}).exit_code == 0) {
  }
  v1::PushResponse response;
  grpc::ClientContext context;
  EXPECT_TRUE(server.Stub()->Push(&context, OneReading(), &response).ok());
  kill(server.pid(), SIGTERM);
  EXPECT_EQ(server.Wait(absl::Seconds(60)).exit_code, 1);
}

TEST(ServerProcessTest, AfterAKillStreamsBeginAnew) {
  TemporaryFolder models;
  WriteTinyModel(models.path());
  const auto first_answer = [&] {
    RunningServer server(models.path());
    v1::PushResponse response;
    grpc::ClientContext context;
    const grpc::Status status = server.Stub()->Push(&context, OneReading(), &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;  // the server is killed
  };
  const v1::PushResponse before = first_answer();
  const v1::PushResponse after = first_answer();
  EXPECT_EQ(after.steps(0), 1u);
  EXPECT_EQ(before.SerializeAsString(), after.SerializeAsString());
}

TEST(ServerProcessTest, AnUnknownFlagIsAnError) {
  const Process::Result result = RunServer({"--modles", "x"});
  EXPECT_NE(result.exit_code, 0);
  EXPECT_THAT(result.err, HasSubstr("--modles"));
  EXPECT_NE(RunServer({}).exit_code, 0);
}

TEST(ServerProcessTest, HelpNamesEveryOptionWithItsDefault) {
  const Process::Result result = RunServer({"--help"});
  EXPECT_EQ(result.exit_code, 0);
  for (const char* said : {"--models", "--listen", "127.0.0.1:50051", "--metrics-listen"}) {
    EXPECT_THAT(result.out, HasSubstr(said));
  }
}

TEST(ServerProcessTest, AModelThatDoesNotLoadIsAnError) {
  TemporaryFolder models;
  const std::vector<std::string> arguments = {"--models",    models.path().string(), "--listen",
                                              "127.0.0.1:0", "--metrics-listen",     "127.0.0.1:0"};
  const Process::Result empty = RunServer(arguments);
  EXPECT_NE(empty.exit_code, 0);
  EXPECT_THAT(empty.err, HasSubstr(models.path().string()));

  WriteTinyModel(models.path());
  std::ofstream(models.path() / "tiny" / "1" / "model.json", std::ios::app) << "x";
  const Process::Result damaged = RunServer(arguments);
  EXPECT_NE(damaged.exit_code, 0);
  EXPECT_THAT(damaged.err, HasSubstr("model.json"));
}

TEST(ServerProcessTest, JsonLogsAreAnObjectALineWhateverTheyHold) {
  TemporaryFolder models;
  WriteTinyModel(models.path());
  RunningServer server(models.path(), {"--log-format", "json"});
  std::string log = server.Stop().err;
  log += RunServer({"--models", "/no/\"such\n\x01\xff", "--log-format", "json"}).err;
  int lines = 0;
  bool failed = false;
  for (const absl::string_view line : absl::StrSplit(log, '\n', absl::SkipEmpty())) {
    const auto json = nlohmann::json::parse(line);
    EXPECT_THAT(json.at("time").get<std::string>(), testing::EndsWith("Z"));
    failed |= json.at("level") == "critical";
    ++lines;
  }
  EXPECT_GE(lines, 4);  // model, serving, stopping, stopped, and why the second one did not start
  EXPECT_TRUE(failed);
}

TEST(ServerProcessTest, APortThatIsTakenIsAnError) {
  TemporaryFolder models;
  WriteTinyModel(models.path());
  RunningServer server(models.path());
  const Process::Result second = RunServer(
      {"--models", models.path().string(), "--listen", server.grpc(), "--metrics-listen", "127.0.0.1:0"});
  EXPECT_NE(second.exit_code, 0);
  EXPECT_THAT(second.err, HasSubstr(server.grpc()));
}

}  // namespace
}  // namespace tidegate
