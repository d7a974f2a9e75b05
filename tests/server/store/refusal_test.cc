// What a folder that cannot be used is refused with: what, where, what to do. And that it is left as it was.

#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/store.h"
#include "server/store/store_tools.h"
#include "tests/support/scratch_folder.h"

namespace tidegate {
namespace {

using testing::AllOf;
using testing::HasSubstr;

std::string Contents(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
void Write(const std::string& path, const std::string& contents) {
  std::ofstream(path, std::ios::binary) << contents;
}

class RefusalTest : public testing::Test {
 protected:
  static constexpr char kBoot[] = "this boot";

  RefusalTest() { options_ = {.folder = folder_ / "data", .boot_id = kBoot}; }

  absl::Status Open() { return Store::Open(options_).status(); }

  // A store with some groups behind its checkpoint, as a killed process leaves it.
  void Make(int groups = 20) {
    const auto store = Store::Open(options_);
    ASSERT_TRUE(store.ok()) << store.status();
    const auto submitter = (*store)->AddSubmitter({});
    GroupWriter group;
    for (int i = 0; i < groups; ++i) {
      group.AddReset("stream");
      ASSERT_TRUE(submitter->Submit(group, false).ok());
    }
  }
  std::string InStore(const std::string& name) { return absl::StrCat(options_.folder, "/store/", name); }
  std::string NewestSegment() {
    std::string newest;
    for (const auto& entry : std::filesystem::directory_iterator(options_.folder + "/store")) {
      const std::string path = entry.path().string();
      if (absl::StrContains(path, "journal-0")) newest = std::max(newest, path);
    }
    return newest;
  }
  std::size_t Groups() {
    const auto store = Store::Open(options_);
    EXPECT_TRUE(store.ok()) << store.status();
    std::size_t groups = 0;
    EXPECT_TRUE((*store)
                    ->Replay(0,
                             [&](GroupReader& group, double) {
                               ++groups;
                               for (JournalEntry entry; group.Next(entry);) continue;
                               return absl::OkStatus();
                             })
                    .ok());
    return groups;
  }

  ScratchFolder folder_;
  StoreOptions options_;
};

TEST_F(RefusalTest, AFolderThatCannotBeMade) {
  options_.folder = folder_ / "no/such";
  EXPECT_THAT(Open().message(), AllOf(HasSubstr("making the folder"), HasSubstr("no/such")));
}

TEST_F(RefusalTest, AnotherProcess) {
  Make();
  int ready[2];
  int done[2];
  ASSERT_EQ(pipe(ready), 0);
  ASSERT_EQ(pipe(done), 0);
  const pid_t child = fork();
  if (child == 0) {
    const auto store = Store::Open(options_);
    char byte = store.ok() ? 'y' : 'n';
    if (write(ready[1], &byte, 1) != 1 || read(done[0], &byte, 1) != 1) _exit(2);
    _exit(store.ok() ? 0 : 1);
  }
  char byte = 0;
  ASSERT_EQ(read(ready[0], &byte, 1), 1);
  ASSERT_EQ(byte, 'y');
  const absl::Status status = Open();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(status.message(), AllOf(HasSubstr(options_.folder), HasSubstr("is in use by another process")));
  EXPECT_EQ(InspectStore(options_).status().code(), absl::StatusCode::kUnavailable);
  ASSERT_EQ(write(done[1], &byte, 1), 1);
  int exit_status = 0;
  ASSERT_EQ(waitpid(child, &exit_status, 0), child);
  EXPECT_EQ(exit_status, 0);
  EXPECT_EQ(Groups(), 20u);
}

TEST_F(RefusalTest, TheSameProcess) {
  Make();
  const auto store = Store::Open(options_);
  EXPECT_THAT(Open().message(), HasSubstr("is in use by another process"));
}

TEST_F(RefusalTest, ADatabaseOfSomethingElse) {
  std::filesystem::create_directories(options_.folder);
  Write(options_.folder + "/CURRENT", "MANIFEST-000001\n");
  EXPECT_EQ(Open().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Open().message(),
              HasSubstr("data is a RocksDB database of something else: name another folder"));
}

TEST_F(RefusalTest, AStoreWithoutItsJournalEnd) {
  Make();
  std::filesystem::remove(InStore("journal-end"));
  EXPECT_EQ(Open().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Open().message(),
              AllOf(HasSubstr("store/journal-end is missing"), HasSubstr("restore a backup")));
}

TEST_F(RefusalTest, AnotherFormat) {
  Make();
  std::string text = Contents(InStore("journal-end"));
  text.replace(text.find("format 1"), 8, "format 7");
  Write(InStore("journal-end"), text);
  EXPECT_EQ(Open().code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(Open().message(),
              HasSubstr("is of a tidegate store, format 7; this server reads format 1: use the version"));
}

TEST_F(RefusalTest, ADamagedJournalEnd) {
  Make();
  const std::string text = Contents(InStore("journal-end"));
  Write(InStore("journal-end"), text.substr(0, 512) + std::string(1024, 'x'));
  EXPECT_EQ(Open().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Open().message(), HasSubstr("store/journal-end is damaged: restore a backup"));
  Write(InStore("journal-end"), text.substr(0, 1000));
  EXPECT_THAT(Open().message(), HasSubstr("has 1000 bytes and should have 1536"));
  Write(InStore("journal-end"), "something else");
  EXPECT_THAT(Open().message(), HasSubstr("does not begin with 'tidegate store, format ...'"));
}

TEST_F(RefusalTest, AStoreWithoutItsCurrentFile) {
  Make();
  std::filesystem::remove(InStore("CURRENT"));
  EXPECT_EQ(Open().code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(Open().message(), HasSubstr("store has no file CURRENT"));
}

TEST_F(RefusalTest, AFlippedBitInTheJournalIsNoTornEnd) {
  Make();
  const std::string log = Contents(NewestSegment());
  std::string flipped = log;
  flipped[log.size() / 2] = static_cast<char>(flipped[log.size() / 2] ^ 4);
  Write(NewestSegment(), flipped);
  for (int again = 0; again < 2; ++again) {
    const absl::Status status = Open();
    EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
    EXPECT_THAT(status.message(), AllOf(HasSubstr("the journal can be read up to group"),
                                        HasSubstr("but was written up to group 1099511627795"),
                                        HasSubstr("restore a backup, or start with --accept-lost-journal")));
  }
  Write(NewestSegment(), log);
  EXPECT_EQ(Groups(), 20u) << "the refusal changed the store";
}

TEST_F(RefusalTest, AfterAPowerCutOnlyWhatWasSyncedMustBeThere) {
  Make();
  const std::string log = Contents(NewestSegment());
  Write(NewestSegment(), log.substr(0, log.size() / 2));
  EXPECT_EQ(Open().code(), absl::StatusCode::kDataLoss);
  options_.boot_id = "the next boot";
  const std::size_t left = Groups();
  EXPECT_GT(left, 0u);
  EXPECT_LT(left, 20u);
}

TEST_F(RefusalTest, ALostJournalIsAcceptedWhenTold) {
  Make();
  const std::string log = Contents(NewestSegment());
  Write(NewestSegment(), log.substr(0, log.size() / 2));
  options_.accept_lost_journal = true;
  {
    const auto store = Store::Open(options_);
    ASSERT_TRUE(store.ok()) << store.status();
    EXPECT_THAT((*store)->opening().lost, HasSubstr("the journal can be read up to group"));
    GroupWriter group;
    group.AddReset("stream");
    ASSERT_TRUE((*store)->AddSubmitter({})->Submit(group, false).ok());
  }
  options_.accept_lost_journal = false;
  EXPECT_GT(Groups(), 1u);
}

TEST_F(RefusalTest, ADamagedTable) {
  Make();
  ASSERT_EQ(Groups(), 20u);  // makes a table of the log
  ASSERT_EQ(Groups(), 20u);
  std::size_t refused = 0;
  for (const auto& entry : std::filesystem::directory_iterator(options_.folder + "/store")) {
    if (entry.path().extension() != ".sst") continue;
    const std::string path = entry.path().string();
    const std::string table = Contents(path);
    std::string flipped = table;
    flipped[10] = static_cast<char>(flipped[10] ^ 1);
    Write(path, flipped);
    const auto store = Store::Open(options_);
    absl::Status status = store.status();
    if (status.ok()) status = (*store)->Replay(0, [](GroupReader&, double) { return absl::OkStatus(); });
    if (!status.ok()) {
      ++refused;
      EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
      EXPECT_THAT(status.message(), HasSubstr("restore a backup"));
      EXPECT_THAT(status.message(), HasSubstr(entry.path().filename().string()));
    }
    Write(path, table);
  }
  EXPECT_GT(refused, 0u);
}

TEST(CompareModelsTest, SaysWhatIsDifferentAndWhatToDo) {
  const StoredModel pumps = {.number = 0, .name = "pumps", .version = 2, .checksum = "c", .build = "b"};
  const auto compare = [&](StoredModel served) { return CompareModels({&pumps, 1}, {&served, 1})[0]; };
  EXPECT_EQ(compare(pumps).match, ModelMatch::kSame);
  EXPECT_EQ(compare(pumps).message, "");
  StoredModel other = pumps;
  other.name = "fans";
  EXPECT_EQ(compare(other).match, ModelMatch::kMissing);
  EXPECT_THAT(
      compare(other).message,
      HasSubstr("streams of model 'pumps' version 2, and no model of that name is served: serve it again"));
  other = pumps;
  other.version = 3;
  EXPECT_EQ(compare(other).match, ModelMatch::kOtherVersion);
  EXPECT_THAT(compare(other).message, HasSubstr("version 3 is served: serve version 2 again"));
  other = pumps;
  other.checksum = "d";
  EXPECT_EQ(compare(other).match, ModelMatch::kOtherChecksum);
  EXPECT_THAT(compare(other).message,
              HasSubstr("with weights and model.json of checksums c; those served are d"));
  other = pumps;
  other.build = "e";
  EXPECT_EQ(compare(other).match, ModelMatch::kOtherBuild);
  EXPECT_THAT(compare(other).message, HasSubstr("stepped by 'b'; this server steps by 'e'"));
}

}  // namespace
}  // namespace tidegate
