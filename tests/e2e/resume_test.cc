// `tidegate push` of a long file while its server is killed and started anew, and after it was killed itself:
// no reading is left out, none is taken twice.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <cmath>
#include <fstream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/e2e/executables.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

constexpr int kRows = 5'000;  // of each of two streams
constexpr absl::Duration kLimit = absl::Minutes(1);

class ResumeTest : public testing::Test {
 protected:
  ResumeTest() : models_(folder_.path() / "models"), file_((folder_.path() / "readings.csv").string()) {
    WriteTinyModel(models_);
    std::ofstream csv(file_);
    csv << "time,sensor,temperature,humidity\n";
    for (int i = 0; i < kRows; ++i) {
      for (const char* sensor : {"a", "b"}) {
        csv << 1'000'000 + i << ',' << sensor << ',' << 20 + std::sin(0.1 * i) << ',' << 50 + i % 7 << '\n';
      }
    }
  }

  std::string Data() const { return (folder_.path() / "data").string(); }
  std::string Answers() const { return (folder_.path() / "answers.csv").string(); }

  // A server that keeps its streams and all readings; on the address of the one before it.
  void Start() {
    server_.reset();
    server_.emplace(
        models_,
        std::vector<std::string>{"--data", Data(), "--keep-journal", "--checkpoint-interval", "0.05"},
        /*file_limit=*/0, address_);
    address_ = server_->grpc();
    stub_ = server_->Stub();
  }

  std::vector<std::string> PushArguments(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> arguments = {
        "push",     file_,    "--stream-column", "sensor",
        "--server", address_, "--json",          (folder_.path() / "push.json").string()};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return arguments;
  }
  nlohmann::json Summary() const {
    std::ifstream in(folder_.path() / "push.json");
    return nlohmann::json::parse(in);
  }

  v1::GetCursorResponse Cursors() const {
    v1::GetCursorRequest request;
    request.add_stream_id("a");
    request.add_stream_id("b");
    v1::GetCursorResponse response;
    grpc::ClientContext context;
    const grpc::Status status = stub_->GetCursor(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    if (!status.ok()) response.mutable_sequence()->Resize(2, 0);
    return response;
  }
  // Waits until the server has taken that many readings of stream b.
  void WaitFor(std::uint64_t sequence) const {
    while (Cursors().sequence(1) < sequence && !testing::Test::HasFailure()) {
    }
  }
  void ExpectAllTakenOnce() const {
    const v1::GetCursorResponse cursors = Cursors();
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(cursors.sequence(i), static_cast<std::uint64_t>(kRows));
      EXPECT_EQ(cursors.steps(i), static_cast<std::uint32_t>(kRows));  // nothing bridged, nothing twice
      EXPECT_EQ(cursors.timestamp(i), (1'000'000 + kRows - 1) * 1'000'000'000LL);
    }
  }

  TemporaryFolder folder_;
  std::filesystem::path models_;
  std::string file_;
  std::string address_ = "127.0.0.1:0";
  std::optional<RunningServer> server_;
  std::unique_ptr<v1::Forecaster::Stub> stub_;
};

TEST_F(ResumeTest, AFileIsPushedWholeThoughItsServerIsKilledTwice) {
  Start();
  Process push(TidegateCommand(PushArguments()));
  for (const std::uint64_t taken : {500, 2'000}) {
    WaitFor(taken);
    server_->Kill();
    ASSERT_TRUE(push.WaitForError("connecting anew", kLimit));
    Start();
  }
  const Process::Result result = push.Wait(kLimit);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.err, HasSubstr("connecting anew, for up to 5m, 2 readings wait for their answer"));
  EXPECT_THAT(result.err, HasSubstr("goes on after"));
  ExpectAllTakenOnce();
  const nlohmann::json summary = Summary();
  EXPECT_EQ(summary["interruptions"], 2);
  EXPECT_EQ(summary["messages"], kRows);
  EXPECT_EQ(summary["outcomes"]["APPLIED"].get<int>() + summary["outcomes"].value("DUPLICATE", 0), 2 * kRows);
  EXPECT_EQ(summary["steps"][0]["forecasts"], 2 * (kRows - 1));  // each reading has its forecast

  // The same without a crash.
  const Process::Result whole = RunTidegate(PushArguments({"--stream-prefix", "whole-"}));
  EXPECT_EQ(whole.exit_code, 0) << whole.err;
  EXPECT_EQ(Summary()["steps"], summary["steps"]);
}

TEST_F(ResumeTest, TheJournalProvesEveryAnswerThatWasReceived) {
  Start();
  Process push(TidegateCommand(PushArguments({"--answers", Answers()})));
  WaitFor(500);
  server_->Kill();
  ASSERT_TRUE(push.WaitForError("connecting anew", kLimit));
  Start();
  ASSERT_EQ(push.Wait(kLimit).exit_code, 0);
  const auto replay = [&] {
    return RunTidegate({"replay", "--data", Data(), "--models", models_.string(), "--compare", Answers()});
  };
  EXPECT_THAT(replay().err, HasSubstr("in use"));  // by the server
  EXPECT_EQ(server_->Stop().exit_code, 0);
  const Process::Result good = replay();
  EXPECT_EQ(good.exit_code, 0) << good.err;
  EXPECT_THAT(good.out, HasSubstr("Replayed 10,000 readings of 2 streams"));
  EXPECT_THAT(good.out, HasSubstr("Of 10,000 answers that clients received, 10,000 are of readings in the "
                                  "journal, 10,000 with a forecast: 0 differ."));

  std::fstream answers(Answers());
  std::string line;
  for (int i = 0; i < 1000; ++i) std::getline(answers, line);
  answers.seekp(answers.tellg() - std::streamoff{4});
  answers << (line[line.size() - 3] == '5' ? '6' : '5');  // a late digit of the last value
  answers.close();
  const Process::Result bad = replay();
  EXPECT_EQ(bad.exit_code, 1);
  EXPECT_THAT(bad.out, HasSubstr("10,000 with a forecast: 1 differ."));
  EXPECT_THAT(bad.err, HasSubstr("the first difference: stream "));
  EXPECT_THAT(bad.err, HasSubstr("as value 9 of the forecast"));
}

TEST_F(ResumeTest, APushThatWasKilledGoesOnWhereItWas) {
  Start();
  {
    Process push(TidegateCommand(PushArguments()));
    WaitFor(1'000);
    push.Signal(SIGKILL);
    push.Wait(kLimit);
  }
  const std::uint64_t taken = Cursors().sequence(1);
  EXPECT_GE(taken, 1'000u);
  const Process::Result again = RunTidegate(PushArguments());
  EXPECT_EQ(again.exit_code, 0) << again.err;
  ExpectAllTakenOnce();
  EXPECT_EQ(Summary()["not_sent"], 2 * (taken - 1));
  EXPECT_EQ(Summary()["outcomes"], nlohmann::json({{"APPLIED", 2 * (kRows - taken)}, {"DUPLICATE", 2}}));
}

TEST_F(ResumeTest, AServerThatStaysAwayIsGivenUp) {
  Start();
  Process push(TidegateCommand(PushArguments({"--retry-for", "300ms"})));
  WaitFor(500);
  server_->Kill();
  const Process::Result result = push.Wait(kLimit);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("gave up after"));
  EXPECT_THAT(result.err, HasSubstr("push the file again"));
}

TEST_F(ResumeTest, AServerThatHasForgottenWhatItHadAnsweredIsAnError) {
  server_.emplace(models_);  // in memory only
  address_ = server_->grpc();
  stub_ = server_->Stub();
  Process push(TidegateCommand(PushArguments()));
  WaitFor(500);
  server_->Kill();
  ASSERT_TRUE(push.WaitForError("connecting anew", kLimit));
  server_.reset();
  server_.emplace(models_, std::vector<std::string>(), 0, address_);
  const Process::Result result = push.Wait(kLimit);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("the server has lost readings of stream 'a'"));
}

}  // namespace
}  // namespace tidegate
