// What people who look after a server's data do: backup, restore, and the store commands.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "tests/e2e/executables.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

constexpr int kRowsRead = 200;

class OperationsTest : public testing::Test {
 protected:
  OperationsTest() : models_(folder_.path() / "models") {
    WriteTinyModel(models_);
    Start();
    EXPECT_EQ(Push("first.csv", 0).exit_code, 0);
  }

  std::string Path(const std::string& name) const { return (folder_.path() / name).string(); }

  void Start(const std::string& data = "data") {
    server_.reset();
    server_.emplace(models_, std::vector<std::string>{"--data", Path(data), "--backups", Path("backups")});
  }

  Process::Result Push(const std::string& name, int from) {
    std::ofstream csv(Path(name));
    csv << "time,sensor,temperature,humidity\n";
    for (int i = from; i < from + kRowsRead; ++i) {
      csv << 1'000'000 + i << ",a," << 20 + i % 5 << ',' << 50 + i % 7 << '\n';
    }
    csv.close();
    return RunTidegate({"push", Path(name), "--stream-column", "sensor", "--server", server_->grpc()});
  }

  std::uint32_t Steps() const {
    v1::GetCursorRequest request;
    request.add_stream_id("a");
    v1::GetCursorResponse response;
    grpc::ClientContext context;
    const grpc::Status status = server_->Stub()->GetCursor(&context, request, &response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return status.ok() ? response.steps(0) : 0;
  }

  TemporaryFolder folder_;
  std::filesystem::path models_;
  std::optional<RunningServer> server_;
};

TEST_F(OperationsTest, ABackupIsRestoredToWhereAServerGoesOn) {
  const std::vector<std::string> backup = {"backup", "--server", server_->grpc(), "--name", "monday"};
  Process::Result result = RunTidegate(backup);
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("Backup 'monday' of "));
  EXPECT_THAT(result.out, HasSubstr(Path("backups/monday")));
  result = RunTidegate(backup);
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("there is a backup 'monday' already"));

  EXPECT_EQ(Push("second.csv", kRowsRead).exit_code, 0);
  EXPECT_EQ(Steps(), 2U * kRowsRead);
  EXPECT_EQ(server_->Stop().exit_code, 0);

  result = RunTidegate({"restore", Path("backups/monday"), "--data", Path("data")});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("holds a store already: move it away, or name another folder"));
  result = RunTidegate({"restore", Path("backups/monday"), "--data", Path("restored")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  Start("restored");
  EXPECT_EQ(Steps(), static_cast<unsigned>(kRowsRead));
  EXPECT_EQ(Push("second.csv", kRowsRead).exit_code, 0);
  EXPECT_EQ(Steps(), 2U * kRowsRead);
}

TEST_F(OperationsTest, AServerWithoutAFolderForBackupsSaysSo) {
  const RunningServer server(models_);
  const Process::Result result = RunTidegate({"backup", "--server", server.grpc()});
  EXPECT_EQ(result.exit_code, 1);
  EXPECT_THAT(result.err, HasSubstr("this server makes no backups: start it with --data and --backups"));
}

TEST_F(OperationsTest, TheStoreIsInspectedVerifiedAndCompacted) {
  EXPECT_THAT(RunTidegate({"store", "inspect", Path("data")}).err, HasSubstr("in use by another process"));
  server_->Kill();
  server_.reset();
  Process::Result result = RunTidegate({"store", "inspect", Path("data")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("It was not closed in order: a start replays"));
  result = RunTidegate({"store", "verify", Path("data")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("200 changes in "));
  EXPECT_THAT(result.out, HasSubstr("1970-01-12T13:46:40+00:00"));

  Start();
  EXPECT_EQ(server_->Stop().exit_code, 0);
  result = RunTidegate({"store", "inspect", Path("data")});
  EXPECT_THAT(result.out, HasSubstr("It was closed in order: nothing is to be replayed"));
  result = RunTidegate({"store", "verify", Path("data")});
  EXPECT_THAT(result.out, HasSubstr("1 states of "));
  EXPECT_THAT(result.out, HasSubstr("tiny"));
  result = RunTidegate({"store", "compact", Path("data")});
  EXPECT_EQ(result.exit_code, 0) << result.err;
  EXPECT_THAT(result.out, HasSubstr("The store took 1 MB on disk and takes 1 MB now"));
  Start();
  EXPECT_EQ(Steps(), static_cast<unsigned>(kRowsRead));
}

TEST_F(OperationsTest, StreamsOfOtherWeightsAreForgottenOnlyIfAskedForAndThenForGood) {
  EXPECT_EQ(server_->Stop().exit_code, 0);
  const ModelSpec spec = TinySpec();
  std::filesystem::remove_all(models_);
  ASSERT_TRUE(WriteModel(models_ / "tiny" / "1", spec, TinyTensors(spec, /*seed=*/2)).ok());
  const Process::Result refused = RunServer({"--models", models_.string(), "--listen", "127.0.0.1:0",
                                             "--metrics-listen", "127.0.0.1:0", "--data", Path("data")});
  EXPECT_EQ(refused.exit_code, 1);
  EXPECT_THAT(refused.out + refused.err, HasSubstr("1 streams of the store belong to models that are not"));
  EXPECT_THAT(refused.out + refused.err, HasSubstr("--forget-other-models"));

  server_.emplace(models_, std::vector<std::string>{"--data", Path("data"), "--forget-other-models"});
  EXPECT_EQ(Steps(), 0U);
  server_->Kill();  // it is on disk before the server serves
  Start();
  EXPECT_EQ(Steps(), 0U);
  EXPECT_EQ(Push("second.csv", 0).exit_code, 0);
  EXPECT_EQ(Steps(), static_cast<unsigned>(kRowsRead));
  EXPECT_EQ(server_->Stop().exit_code, 0);
  EXPECT_EQ(RunTidegate({"store", "verify", Path("data")}).exit_code, 0);
  Start();
  EXPECT_EQ(Steps(), static_cast<unsigned>(kRowsRead));
}

TEST_F(OperationsTest, DamageOfAKeptJournalIsFound) {
  EXPECT_EQ(server_->Stop().exit_code, 0);
  server_.emplace(models_, std::vector<std::string>{"--data", Path("kept"), "--keep-journal"});
  EXPECT_EQ(Push("first.csv", 0).exit_code, 0);
  EXPECT_EQ(server_->Stop().exit_code, 0);  // all of the journal lies before the checkpoint now
  EXPECT_EQ(RunTidegate({"store", "verify", Path("kept")}).exit_code, 0);
  for (const auto& entry : std::filesystem::directory_iterator(Path("kept/store"))) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("journal-") || name == "journal-end") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(400);
    file.put('\xff');
  }
  const Process::Result verified = RunTidegate({"store", "verify", Path("kept")});
  EXPECT_EQ(verified.exit_code, 1);
  EXPECT_THAT(verified.err, HasSubstr("the journal that was kept is damaged"));
  server_.emplace(models_, std::vector<std::string>{"--data", Path("kept"), "--keep-journal"});
  EXPECT_EQ(Steps(), static_cast<unsigned>(kRowsRead));
}

TEST_F(OperationsTest, DamageIsFoundAndNotRestored) {
  EXPECT_EQ(server_->Stop().exit_code, 0);
  for (const auto& entry : std::filesystem::directory_iterator(Path("data/store"))) {
    if (entry.path().extension() != ".sst") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(40);
    file.put('\xff');
  }
  const Process::Result verified = RunTidegate({"store", "verify", Path("data")});
  EXPECT_EQ(verified.exit_code, 1);
  EXPECT_THAT(verified.err, HasSubstr("restore a backup"));
  EXPECT_EQ(RunTidegate({"restore", Path("data"), "--data", Path("restored")}).exit_code, 1);
  EXPECT_FALSE(std::filesystem::exists(Path("restored/store")));
  EXPECT_THAT(RunTidegate({"store", "verify", Path("nowhere")}).err, HasSubstr("there is no store in"));
}

}  // namespace
}  // namespace tidegate
