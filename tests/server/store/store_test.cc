#include "server/store/store.h"

#include <map>
#include <string>
#include <vector>

#include "absl/synchronization/notification.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "server/store/store_tools.h"
#include "tests/support/scratch_folder.h"

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

struct Mode {
  Durability durability = Durability::kProcess;
  bool may_wait = false;  // the threads that submit
};

class StoreTest : public testing::TestWithParam<Mode> {
 protected:
  StoreOptions Options() { return {.folder = folder_.path(), .durability = GetParam().durability}; }
  std::unique_ptr<Store> Open() { return Open(Options()); }
  static std::unique_ptr<Store> Open(const StoreOptions& options) {
    auto store = Store::Open(options);
    EXPECT_TRUE(store.ok()) << store.status();
    return store.ok() ? *std::move(store) : nullptr;
  }

  // A reading of each stream, in one group; waits until it is durable. Its position.
  static std::uint64_t Push(Store& store, const std::vector<std::string>& streams,
                            std::uint64_t sequence = 1) {
    absl::Notification durable;
    std::uint64_t through = 0;
    auto submitter = store.AddSubmitter([&](const absl::Status& status, std::uint64_t position) {
      EXPECT_TRUE(status.ok()) << status;
      through = position;
      durable.Notify();
    });
    GroupWriter group;
    const std::vector<float> values = {1.0f};
    for (const std::string& stream : streams) {
      group.AddReading({.stream = stream, .sequence = sequence, .values = values});
    }
    const auto submitted = submitter->Submit(group, GetParam().may_wait);
    EXPECT_TRUE(submitted.ok()) << submitted.status();
    EXPECT_TRUE(group.empty());
    if (!submitted->durable) {
      durable.WaitForNotification();
      EXPECT_EQ(through, submitted->position);
    }
    return submitted->position;
  }

  static void PutState(Store& store, const std::string& stream, std::uint64_t position, float value) {
    StateBatch batch;
    batch.Put(stream, position, 0, {.sequence = 1}, std::vector<float>{value});
    EXPECT_TRUE(store.WriteStates(batch).ok());
    EXPECT_TRUE(batch.empty());
  }

  static std::vector<std::string> Replayed(Store& store, std::uint64_t position) {
    std::vector<std::string> entries;
    double last = 0;
    const absl::Status status = store.Replay(position, [&](GroupReader& group, double done) {
      EXPECT_GE(done, last);
      last = done;
      for (JournalEntry entry; group.Next(entry);) {
        entries.push_back(std::string(entry.stream) + std::to_string(entry.reading.sequence));
      }
      return absl::OkStatus();
    });
    EXPECT_TRUE(status.ok()) << status;
    return entries;
  }

  static std::map<std::string, float> States(Store& store) {
    std::map<std::string, float> states;
    EXPECT_TRUE(store
                    .ForEachState([&](absl::string_view id, const StoredState& state) {
                      states[std::string(id)] = state.floats.at(0);
                      return absl::OkStatus();
                    })
                    .ok());
    return states;
  }

  ScratchFolder folder_;
};

INSTANTIATE_TEST_SUITE_P(Modes, StoreTest,
                         testing::Values(Mode{Durability::kProcess}, Mode{Durability::kPower},
                                         Mode{Durability::kPower, true}));

TEST_P(StoreTest, ReplaysWhatWasSubmittedInItsOrder) {
  {
    const auto store = Open();
    EXPECT_TRUE(store->opening().created);
    EXPECT_EQ(store->opening().journal_end, 0u);
    Push(*store, {"a", "b"}, 1);
    Push(*store, {"a"}, 2);
  }
  const auto store = Open();
  EXPECT_FALSE(store->opening().created);
  EXPECT_FALSE(store->opening().clean);
  EXPECT_GT(store->opening().journal_end, store->opening().checkpoint);
  EXPECT_THAT(Replayed(*store, store->opening().checkpoint), ElementsAre("a1", "b1", "a2"));
}

TEST_P(StoreTest, PositionsRiseOverOpeningsAndLeaveNoHole) {
  std::uint64_t last = 0;
  for (int opening = 0; opening < 4; ++opening) {
    const auto store = Open();
    for (int i = 0; i < opening; ++i) {  // none in the first
      const std::uint64_t position = Push(*store, {"a"}, opening);
      EXPECT_GT(position, last);
      last = position;
    }
  }
  EXPECT_THAT(Replayed(*Open(), 0), ElementsAre("a1", "a2", "a2", "a3", "a3", "a3"));
}

TEST_P(StoreTest, ACheckpointLeavesOnlyWhatIsBehindIt) {
  StoreOptions options = Options();
  options.segment_bytes = 1;  // a file for each group
  std::uint64_t checkpoint = 0;
  {
    const auto store = Open(options);
    const std::uint64_t position = Push(*store, {"a"}, 1);
    checkpoint = store->BeginCheckpoint();
    EXPECT_EQ(checkpoint, position);
    Push(*store, {"b"}, 2);  // while it is being made
    PutState(*store, "a", position, 1.0f);
    ASSERT_TRUE(store->FinishCheckpoint(checkpoint).ok());
    EXPECT_GT(store->counts().journal_pending, 0u);
    Push(*store, {"c"}, 3);
  }
  const auto store = Open();
  EXPECT_EQ(store->opening().checkpoint, checkpoint);
  EXPECT_THAT(Replayed(*store, checkpoint), ElementsAre("b2", "c3"));
  EXPECT_THAT(States(*store), ElementsAre(std::pair("a", 1.0f)));
  const absl::Status trimmed = store->Replay(0, [](GroupReader&, double) { return absl::OkStatus(); });
  EXPECT_EQ(trimmed.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(trimmed.message(), HasSubstr("the journal misses groups between 0 and"));
}

TEST_P(StoreTest, MakesManyStatesDurableBeforeACheckpoint) {
  StoreOptions options = Options();
  options.state_buffer_bytes = 1000;
  {
    const auto store = Open(options);
    const std::uint64_t position = Push(*store, {"a"});
    for (int i = 0; i < 100; ++i) PutState(*store, "stream-" + std::to_string(i), position, 1.0f);
  }
  // As after a crash, since Close was not called: but what was beyond twice the buffer had to be through.
  EXPECT_GE(States(*Open(options)).size(), 70u);
}

TEST_P(StoreTest, WaitsForRoomUntilTheStatesAreOnTheirWayToTheDisk) {
  StoreOptions options = Options();
  options.state_buffer_bytes = 1000;
  {
    const auto store = Open(options);
    store->WaitForStateRoom();  // there is
    const std::uint64_t position = Push(*store, {"a"});
    StateBatch batch;
    batch.Put("a", position, 0, {.sequence = 1}, std::vector<float>(250, 1.0f));  // the whole buffer
    EXPECT_TRUE(store->WriteStates(batch).ok());
    store->WaitForStateRoom();
  }
  EXPECT_EQ(States(*Open(options)).size(), 1u);
}

TEST_P(StoreTest, KeepsTheJournalIfAsked) {
  StoreOptions options = Options();
  options.keep_journal = true;
  {
    const auto store = Open(options);
    Push(*store, {"a"}, 1);
    ASSERT_TRUE(store->FinishCheckpoint(store->BeginCheckpoint()).ok());
    Push(*store, {"a"}, 2);
  }
  const auto store = Open(options);
  EXPECT_THAT(Replayed(*store, 0), ElementsAre("a1", "a2"));
  EXPECT_THAT(Replayed(*store, store->opening().checkpoint), ElementsAre("a2"));
}

// Without a journal positions go on, so the next group follows a checkpoint that the older file ends before.
TEST_P(StoreTest, ReplaysWhatCameAfterATimeWithoutAJournal) {
  Push(*Open(), {"a"}, 1);
  {
    StoreOptions options = Options();
    options.durability = Durability::kNone;
    const auto store = Open(options);
    EXPECT_THAT(Replayed(*store, store->opening().checkpoint), ElementsAre("a1"));
    Push(*store, {"a"}, 2);
    EXPECT_TRUE(store->FinishCheckpoint(store->BeginCheckpoint()).ok());
  }
  for (std::uint64_t sequence = 3; sequence < 5; ++sequence) Push(*Open(), {"a"}, sequence);
  const auto store = Open();
  EXPECT_THAT(store->opening().lost, IsEmpty());
  EXPECT_THAT(Replayed(*store, store->opening().checkpoint), ElementsAre("a3", "a4"));
}

TEST_P(StoreTest, StatesWithoutAJournalAreSound) {
  StoreOptions options = Options();
  {
    const auto store = Open(options);
    ASSERT_TRUE(store->AddModel("model", 1, "sum", "build").ok());
    Push(*store, {"a"});
  }
  options.durability = Durability::kNone;
  {
    const auto store = Open(options);
    PutState(*store, "a", 1, 1.0f);
    const std::uint64_t checkpoint = store->BeginCheckpoint();
    PutState(*store, "meanwhile", Push(*store, {"meanwhile"}), 2.0f);
    EXPECT_TRUE(store->FinishCheckpoint(checkpoint).ok());
  }
  const auto report = VerifyStore(options);
  ASSERT_TRUE(report.ok()) << report.status();
  EXPECT_EQ(report->states, 2u);
}

TEST_P(StoreTest, CloseAfterACheckpointIsAnEmptyReplay) {
  {
    const auto store = Open();
    PutState(*store, "a", Push(*store, {"a"}), 1.0f);
    ASSERT_TRUE(store->FinishCheckpoint(store->BeginCheckpoint()).ok());
    ASSERT_TRUE(store->Close(0).ok());
  }
  {
    const auto store = Open();
    EXPECT_TRUE(store->opening().clean);
    EXPECT_EQ(store->opening().replay_bytes, 0u);
    EXPECT_THAT(Replayed(*store, store->opening().checkpoint), IsEmpty());
    EXPECT_THAT(States(*store), ElementsAre(std::pair("a", 1.0f)));
  }
  EXPECT_FALSE(Open()->opening().clean) << "the opening before was not closed";
}

TEST_P(StoreTest, ReadsStatesOfManyStreamsAtOnce) {
  const auto store = Open();
  PutState(*store, "a", 0, 1.0f);
  PutState(*store, "b", 0, 2.0f);
  PutState(*store, "b", 0, 3.0f);
  PutState(*store, "c", 0, 4.0f);
  StateBatch batch;
  batch.Delete("c", 7);
  ASSERT_TRUE(store->WriteStates(batch).ok());
  const std::vector<absl::string_view> ids = {"b", "nobody", "a", "c"};
  std::vector<StoredState> states(ids.size());
  bool found[4] = {};
  ASSERT_TRUE(store->ReadStates(ids, found, states).ok());
  EXPECT_THAT(found, ElementsAre(true, false, true, false));
  EXPECT_EQ(states[0].floats[0], 3.0f);
  EXPECT_EQ(states[1].position, 0u);
  EXPECT_EQ(states[3].position, 7u);
  EXPECT_EQ(states[2].floats[0], 1.0f);
  EXPECT_EQ(store->counts().states_read, 4u);
}

TEST_P(StoreTest, ReadsMoreStatesThanItReadsAheadAndStopsWhenAsked) {
  const auto store = Open();
  const auto id = [](int i) { return std::to_string(10'000 + i); };
  const int count = 2'000;  // of 1 KiB: twice what is read ahead
  StateBatch batch;
  for (int i = count; i-- > 0;) {
    batch.Put(id(i), 0, 0, {.sequence = 1}, std::vector<float>(250, static_cast<float>(i)));
  }
  ASSERT_TRUE(store->WriteStates(batch).ok());
  for (const int stop : {count, 1'500, 1}) {
    int next = 3;
    const absl::Status read = store->ForEachState(
        [&](absl::string_view stream, const StoredState& state) {
          EXPECT_EQ(stream, id(next));
          EXPECT_THAT(state.floats, testing::Each(static_cast<float>(next)));
          return ++next >= stop && stop < count ? absl::CancelledError() : absl::OkStatus();
        },
        id(3));
    EXPECT_EQ(absl::IsCancelled(read), stop < count) << read;
    EXPECT_EQ(next, std::max(stop, 4));
  }
}

TEST_P(StoreTest, TheTableOfModelsGrowsAndStays) {
  const StoredModel first = {
      .number = 0, .name = "pumps", .version = 1, .checksum = "c1", .build = "avx512-1"};
  StoredModel second = first;
  second.number = 1;
  second.build = "avx2-1";
  {
    const auto store = Open();
    EXPECT_EQ(store->AddModel("pumps", 1, "c1", "avx512-1").value(), 0u);
    EXPECT_EQ(store->AddModel("pumps", 1, "c1", "avx2-1").value(), 1u);
    EXPECT_EQ(store->AddModel("pumps", 1, "c1", "avx512-1").value(), 0u);
  }
  EXPECT_THAT(Open()->models(), ElementsAre(first, second));
}

TEST_P(StoreTest, ABackupIsAStoreOfItsOwn) {
  const std::string backup = folder_ / "backup";
  StoreOptions options = Options();
  options.folder = folder_ / "live";
  const auto store = Open(options);
  const std::uint64_t position = Push(*store, {"a"}, 1);
  PutState(*store, "a", position, 1.0f);
  const std::atomic<bool> go_on = false;
  ASSERT_TRUE(store->Backup(backup, go_on).ok());
  Push(*store, {"a"}, 2);
  options.folder = backup;
  const auto copy = Open(options);
  EXPECT_THAT(Replayed(*copy, 0), ElementsAre("a1"));
  EXPECT_THAT(States(*copy), ElementsAre(std::pair("a", 1.0f)));
  EXPECT_EQ(copy->opening().store_id, store->opening().store_id);
  EXPECT_THAT(store->Backup(backup, go_on).message(), HasSubstr("is there already: name a new folder"));
}

TEST_P(StoreTest, SaysWhenSpaceIsLow) {
  StoreOptions options = Options();
  options.reserve_bytes = 0;
  EXPECT_FALSE(Open(options)->SpaceIsLow());
  options.reserve_bytes = std::uint64_t{1} << 62;
  EXPECT_TRUE(Open(options)->SpaceIsLow());
}

TEST_P(StoreTest, CountsAndTellsOfCommits) {
  StoreOptions options = Options();
  std::size_t groups = 0;
  options.on_commit = [&](const JournalCommit& commit) {
    groups += commit.groups;
    EXPECT_GT(commit.bytes, 0u);
    EXPECT_GT(commit.took, absl::ZeroDuration());
  };
  const auto store = Open(options);
  Push(*store, {"a", "b"});
  Push(*store, {"a"});
  EXPECT_EQ(groups, 2u);
  EXPECT_EQ(store->counts().groups, 2u);
  EXPECT_EQ(store->counts().entries, 3u);
  EXPECT_EQ(store->counts().commits, 2u);
}

}  // namespace
}  // namespace tidegate
