#include <gmock/gmock.h>

#include <atomic>
#include <filesystem>
#include <set>
#include <thread>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "engine/stream/stream.h"
#include "server/store/store.h"
#include "server/store/store_tools.h"
#include "tests/server/rpc/rpc_fixture.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

struct Keeping {
  const char* name;
  std::size_t memory;  // bytes for streams; 0: all stay in memory
  Durability durability;
};

// A server whose streams are kept in a store; with little memory for them, if asked.
class KeptStreamsTest : public RpcFixture, public testing::WithParamInterface<Keeping> {
 protected:
  KeptStreamsTest() : RpcFixture(2) {}

  void SetUp() override {
    const std::filesystem::path folder = std::filesystem::path(testing::TempDir()) / "kept_streams";
    std::filesystem::remove_all(folder);
    OpenStore();
    RpcFixture::SetUp();
    ASSERT_TRUE(server_->Recover(stop_).ok());
  }
  void TearDown() override {
    RpcFixture::TearDown();
    store_.reset();
  }

  RpcServer::Options ServerOptions() const override {
    RpcServer::Options options = RpcFixture::ServerOptions();
    options.store = store_.get();
    options.backups = folder_ / "backups";
    options.expire_after = absl::Hours(1);
    options.keeping.memory_limit = GetParam().memory;
    options.keeping.failed = [](const absl::Status& status) { ADD_FAILURE() << status; };
    return options;
  }

  // The server, and another one on the same store; `orderly` or as after a crash.
  void Restart(bool orderly) {
    if (orderly) {
      EXPECT_TRUE(server_->Shutdown(absl::Seconds(10)).ok());
    }
    End();
    OpenStore();
    EXPECT_EQ(store_->opening().clean, orderly);
    Start();
  }
  void End() {
    stub_.reset();
    server_.reset();
    store_.reset();
  }
  void Start() {
    auto server = RpcServer::Start(ServerOptions(), repository_, page_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::Forecaster::NewStub(NewChannel());
  }
  void Recover() { ASSERT_TRUE(server_->Recover(stop_).ok()); }

  std::set<std::string> Listed(const std::string& prefix = "") {
    std::set<std::string> ids;
    v1::ListStreamsRequest request;
    request.set_prefix(prefix);
    request.set_page_size(7);
    while (true) {
      v1::ListStreamsResponse response;
      EXPECT_TRUE(Call(&v1::Forecaster::Stub::ListStreams, request, response).ok());
      for (const v1::StreamInfo& stream : response.stream()) {
        EXPECT_TRUE(ids.insert(stream.stream_id()).second) << stream.stream_id() << " twice";
      }
      if (response.next_page_token().empty()) return ids;
      request.set_page_token(response.next_page_token());
    }
  }

  static std::vector<std::string> Ids(int count) {
    std::vector<std::string> ids;
    ids.reserve(static_cast<std::size_t>(count));
    for (int i = 0; i < count; ++i) ids.push_back("s:" + std::to_string(i));
    return ids;
  }

  const std::atomic<bool> stop_{false};
  std::unique_ptr<Store> store_;

  void OpenStore() { OpenStore(std::filesystem::path(testing::TempDir()) / "kept_streams"); }
  void OpenStore(const std::string& folder) {
    auto store = Store::Open({.folder = folder, .durability = GetParam().durability});
    ASSERT_TRUE(store.ok()) << store.status();
    store_ = *std::move(store);
  }
};

TEST_P(KeptStreamsTest, AnOrderlyEndAndOneThatIsNotAreNotSeenInTheForecasts) {
  const std::vector<std::string> ids = Ids(40);
  for (int t = 1; t < 20; ++t) {
    const v1::PushResponse answer = Pushed(Readings(ids, t));
    v1::PushRequest fresh = Readings({"fresh " + std::to_string(t)}, t);
    EXPECT_EQ(Pushed(fresh).outcome(0), v1::OUTCOME_APPLIED);
    if (t % 5 != 0) continue;
    Restart(t % 2 == 0);
    Recover();
    // The last reading once more: the same bits.
    const v1::PushResponse again = Pushed(Readings(ids, t));
    for (int i = 0; i < again.outcome_size(); ++i) EXPECT_EQ(again.outcome(i), v1::OUTCOME_DUPLICATE);
    EXPECT_THAT(again.forecast(), testing::ElementsAreArray(answer.forecast()));
    EXPECT_EQ(again.steps(0), static_cast<unsigned>(t));
  }
  EXPECT_EQ(Listed("s:").size(), ids.size());
  EXPECT_EQ(Listed().size(), ids.size() + 19);
}

TEST_P(KeptStreamsTest, AnOpenCallGoesOnWithStreamsThatWereOutOfMemory) {
  grpc::ClientContext context;
  const auto call = stub_->Stream(&context);
  const std::vector<std::string> ids = Ids(60);
  for (int t = 1; t < 12; ++t) {
    v1::PushRequest request;
    if (t == 1) {
      for (const std::string& id : ids) request.add_stream_id(id);
    } else {
      for (std::size_t i = 0; i < ids.size(); ++i) request.add_handle(static_cast<unsigned>(i));
    }
    for (std::size_t i = 0; i < ids.size(); ++i) AddReading(request, t);
    ASSERT_TRUE(call->Write(request));
    v1::PushResponse response;
    ASSERT_TRUE(call->Read(&response));
    for (int i = 0; i < response.outcome_size(); ++i) {
      ASSERT_EQ(response.outcome(i), v1::OUTCOME_APPLIED) << i;
      ASSERT_EQ(response.steps(i), static_cast<unsigned>(t)) << i;
    }
  }
  if (GetParam().memory > 0) {
    EXPECT_GT(page_.shard(0).cold.loads.value() + page_.shard(1).cold.loads.value(), 100);
  }
}

TEST_P(KeptStreamsTest, WhatIsUsedStaysInMemory) {
  for (int t = 1; t < 1000; ++t) {
    const v1::PushResponse answer = Pushed(Readings({"hot", "new " + std::to_string(t)}, t));
    ASSERT_EQ(answer.steps(0), static_cast<unsigned>(t));
  }
  std::uint64_t loads = 0;
  std::uint64_t evictions = 0;
  std::int64_t counted = 0;
  for (std::size_t s = 0; s < 2; ++s) {
    counted += page_.shard(s).models[1].streams.value() + page_.shard(s).cold.cold.value();
    loads += page_.shard(s).cold.loads.value();
    evictions += page_.shard(s).cold.evictions.value();
  }
  EXPECT_EQ(counted, 1000) << "in memory and on disk";
  EXPECT_LT(loads, 20);  // now and then all are marked as used, and it goes too
  if (GetParam().memory > 0) {
    EXPECT_GT(evictions, 900);
  }
}

// Copies that are made while readings are pushed: a server on one goes on as the first one did.
TEST_P(KeptStreamsTest, ABackupUnderLoadGoesOnAsItsServerDid) {
  constexpr int kBackups = 3;
  const std::vector<std::string> ids = Ids(20);
  std::vector<std::vector<float>> forecasts(1);  // by t, of all streams
  std::atomic<int> answered{0};
  std::atomic<bool> enough{false};
  std::thread pusher([&] {
    for (int t = 1; !enough; ++t) {
      const v1::PushResponse answer = Pushed(Readings(ids, t));
      forecasts.emplace_back(answer.forecast().begin(), answer.forecast().end());
      answered = t;
    }
  });
  std::vector<int> before;  // each backup
  std::vector<std::string> folders;
  for (int b = 0; b < kBackups; ++b) {
    while (answered < 20 * (b + 1)) std::this_thread::yield();
    before.push_back(answered);
    v1::BackupRequest request;
    v1::BackupResponse response;
    const grpc::Status status = Call(&v1::Forecaster::Stub::Backup, request, response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    EXPECT_GT(response.bytes(), 1'000u);
    folders.push_back(response.folder());
  }
  enough = true;
  pusher.join();
  for (int b = 0; b < kBackups; ++b) {
    End();
    const std::filesystem::path restored = folder_ / absl::StrCat("restored ", b);
    ASSERT_TRUE(RestoreStore(folders[b], restored).ok());
    OpenStore(restored);
    Start();
    Recover();
    v1::GetCursorRequest cursors;
    cursors.mutable_stream_id()->Assign(ids.begin(), ids.end());
    v1::GetCursorResponse cursor;
    ASSERT_TRUE(Call(&v1::Forecaster::Stub::GetCursor, cursors, cursor).ok());
    for (std::size_t i = 0; i < ids.size(); ++i) {
      const auto t = static_cast<std::size_t>(cursor.timestamp(static_cast<int>(i)) / kSecond);
      EXPECT_GE(t, static_cast<std::size_t>(before[b]));
      ASSERT_LT(t, forecasts.size());
      for (std::size_t next = t; next < std::min(t + 2, forecasts.size()); ++next) {
        const v1::PushResponse answer = Pushed(Readings({ids[i]}, static_cast<int>(next)));
        EXPECT_EQ(answer.outcome(0), next == t ? v1::OUTCOME_DUPLICATE : v1::OUTCOME_APPLIED);
        const std::size_t floats = static_cast<std::size_t>(answer.forecast_size());
        EXPECT_THAT(answer.forecast(),
                    testing::ElementsAreArray(std::span(forecasts[next]).subspan(i * floats, floats)));
      }
    }
  }
}

TEST_P(KeptStreamsTest, BackupsAreNamedOnce) {
  v1::BackupRequest request;
  v1::BackupResponse response;
  request.set_name("monday");
  ASSERT_TRUE(Call(&v1::Forecaster::Stub::Backup, request, response).ok());
  EXPECT_EQ(response.folder(), folder_ / "backups" / "monday");
  grpc::Status status = Call(&v1::Forecaster::Stub::Backup, request, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::ALREADY_EXISTS);
  EXPECT_THAT(status.error_message(), HasSubstr("name: there is a backup 'monday' already"));
  request.set_name("../monday");
  status = Call(&v1::Forecaster::Stub::Backup, request, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("'../monday' is no name for a backup"));
}

TEST_P(KeptStreamsTest, WhatNobodyFeedsExpires) {
  const absl::Time now = absl::Now();
  const auto now_s = static_cast<int>(absl::ToUnixSeconds(now));
  Pushed(Readings(Ids(60), 1));
  Pushed(Readings({"new"}, now_s));
  Pushed(Readings({"quiet"}, now_s - 3'500));
  EXPECT_EQ(server_->expiry()->Sweep(now), 0u);  // all took a reading a moment ago
  Pushed(Readings({"s:3", "s:4"}, 2));           // old readings that are caught up on
  // A stream that goes out of memory meanwhile is looked at anew.
  EXPECT_GE(server_->expiry()->Sweep(now), GetParam().memory == 0 ? 58u : 50u);
  EXPECT_THAT(Listed(), testing::IsSupersetOf({"s:3", "s:4", "new", "quiet"}));
  for (int t = 3; t < 6; ++t) {
    EXPECT_EQ(Pushed(Readings({"s:4"}, t)).steps(0), static_cast<unsigned>(t));
    server_->expiry()->Sweep(now + absl::Minutes(30));
  }
  EXPECT_THAT(Listed(), testing::UnorderedElementsAre("s:4", "new"));
  EXPECT_EQ(Pushed(Readings({"s:5"}, 3)).steps(0), 1u);
  Restart(/*orderly=*/false);
  Recover();
  EXPECT_THAT(Listed(), testing::UnorderedElementsAre("s:4", "s:5", "new"));
  v1::ResetStreamRequest reset;
  reset.set_stream_id("new");
  v1::ResetStreamResponse done;
  ASSERT_TRUE(Call(&v1::Forecaster::Stub::ResetStream, reset, done).ok());
  for (int sweep = 0; sweep < 3; ++sweep) server_->expiry()->Sweep(now);
  EXPECT_THAT(Listed(), testing::Contains("new")) << "its last reading is as young as it was";
}

TEST_P(KeptStreamsTest, EveryStreamCountsAfterAnyRestart) {
  Pushed(Readings(Ids(50), 1));
  for (const bool orderly : {true, false}) {
    Restart(orderly);
    Recover();
  }
  std::vector<std::string> more = Ids(970);
  for (std::string& id : more) id += " more";
  v1::PushResponse response;
  ASSERT_TRUE(Push(Readings(more, 1), response).ok());
  EXPECT_EQ(std::ranges::count(response.outcome(), static_cast<int>(v1::OUTCOME_OVERLOADED)), 20);
  EXPECT_EQ(Listed().size(), 1000u);
}

// A folder that another machine's kernels once served, and left in order.
TEST_P(KeptStreamsTest, KernelsOfBeforeDoNotMatterWhereTheJournalHasNothingOfThem) {
  const ServedModel& tiny = repository_.models()[*repository_.Find("tiny")];
  ASSERT_TRUE(store_->AddModel("tiny", tiny.version, StateChecksum(*tiny.model), "of before").ok());
  Pushed(Readings({"a"}, 1));
  Restart(/*orderly=*/false);
  Recover();
  EXPECT_EQ(Pushed(Readings({"a"}, 2)).steps(0), 2u);
}

TEST_P(KeptStreamsTest, AModelWhoseStatesHaveOtherNumbersIsAnother) {
  Pushed(Readings({"a"}, 1));
  End();
  OpenStore();
  std::filesystem::remove_all(folder_ / "tiny");
  ModelSpec spec = Spec();
  spec.name = "tiny";
  spec.reorder_window = 2;
  ASSERT_TRUE(WriteModel(folder_ / "tiny" / "1", spec, TinyTensors(spec)).ok());
  auto repository = Repository::Load(folder_, "tiny");
  ASSERT_TRUE(repository.ok()) << repository.status();
  repository_ = *std::move(repository);
  Start();
  EXPECT_EQ(server_->Recover(stop_).code(), absl::StatusCode::kFailedPrecondition);
}

TEST_P(KeptStreamsTest, ListsLeaveOutNoneThatComesBackMeanwhile) {
  const std::vector<std::string> ids = Ids(100);
  Pushed(Readings(ids, 1));
  std::set<std::string> listed;
  v1::ListStreamsRequest request;
  request.set_page_size(5);
  for (std::size_t page = 0;; ++page) {
    v1::ListStreamsResponse response;
    ASSERT_TRUE(Call(&v1::Forecaster::Stub::ListStreams, request, response).ok());
    for (const v1::StreamInfo& stream : response.stream()) listed.insert(stream.stream_id());
    if (response.next_page_token().empty()) break;
    request.set_page_token(response.next_page_token());
    const auto t = static_cast<int>(page) + 2;
    Pushed(Readings(
        {ids[page * 37 % 100], ids[page * 61 % 100 == page * 37 % 100 ? (page + 1) % 100 : page * 61 % 100]},
        t));
  }
  EXPECT_EQ(listed.size(), 100u);
}

TEST_P(KeptStreamsTest, QuestionsFindStreamsWhereverTheyAre) {
  const std::vector<std::string> ids = Ids(50);
  Pushed(Readings(ids, 1));
  v1::GetCursorRequest cursors;
  for (const std::string& id : ids) cursors.add_stream_id(id);
  cursors.add_stream_id("nobody");
  v1::GetCursorResponse cursor;
  ASSERT_TRUE(Call(&v1::Forecaster::Stub::GetCursor, cursors, cursor).ok());
  for (int i = 0; i < 50; ++i) EXPECT_EQ(cursor.timestamp(i), kSecond);
  EXPECT_EQ(cursor.timestamp(50), -1);

  v1::DeleteStreamRequest forget;
  forget.set_stream_id("s:3");
  v1::DeleteStreamResponse forgotten;
  ASSERT_TRUE(Call(&v1::Forecaster::Stub::DeleteStream, forget, forgotten).ok());
  EXPECT_EQ(Call(&v1::Forecaster::Stub::DeleteStream, forget, forgotten).error_code(),
            grpc::StatusCode::NOT_FOUND);
  Restart(false);
  Recover();
  EXPECT_EQ(Call(&v1::Forecaster::Stub::DeleteStream, forget, forgotten).error_code(),
            grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Listed().size(), 49);
}

TEST_P(KeptStreamsTest, QuestionsLeaveTheMemoryAsItIs) {
  const std::vector<std::string> ids = Ids(500);
  Pushed(Readings(ids, 1));
  // When the second is answered, each loop has made its turn after the first.
  for (const int asked : {500, 20}) {
    v1::GetCursorRequest request;
    for (int i = 0; i < asked; ++i) request.add_stream_id(ids[static_cast<std::size_t>(i)]);
    v1::GetCursorResponse response;
    ASSERT_TRUE(Call(&v1::Forecaster::Stub::GetCursor, request, response).ok());
  }
  const std::int64_t cold = page_.shard(0).cold.cold.value() + page_.shard(1).cold.cold.value();
  EXPECT_EQ(page_.shard(0).cold.loads.value() + page_.shard(1).cold.loads.value(), 0);
  if (GetParam().memory == 0) {
    EXPECT_EQ(cold, 0);
  } else {
    EXPECT_GE(cold, 450);
  }
}

TEST_P(KeptStreamsTest, AModelIsUnloadedWithTheStreamsThatItHasOnDisk) {
  Pushed(Readings(Ids(50), 1));
  v1::UnloadModelRequest unload;
  unload.set_model("tiny");
  v1::UnloadModelResponse unloaded;
  const grpc::Status refused = Call(&v1::Forecaster::Stub::UnloadModel, unload, unloaded);
  EXPECT_THAT(refused.error_message(), HasSubstr("has 50 streams"));
  unload.set_delete_streams(true);
  ASSERT_TRUE(Call(&v1::Forecaster::Stub::UnloadModel, unload, unloaded).ok());
  EXPECT_EQ(unloaded.deleted_streams(), 50);
  EXPECT_EQ(store_->counts().entries, 50 + 50u) << "the deletions are in the journal when they are answered";
  EXPECT_EQ(Listed().size(), 0);
}

TEST_P(KeptStreamsTest, AStreamThatHasMovedToAnotherModelOutlivesTheFirst) {
  v1::PushRequest request = Readings({"moved", "stays"}, 1);
  request.set_model("other");
  Pushed(request);
  Restart(true);  // the store has their states
  Recover();
  v1::DeleteStreamRequest remove;
  v1::DeleteStreamResponse removed;
  for (const char* id : {"moved", "stays"}) {
    remove.set_stream_id(id);
    ASSERT_TRUE(Call(&v1::Forecaster::Stub::DeleteStream, remove, removed).ok());
  }
  Pushed(Readings({"moved"}, 1));
  v1::UnloadModelRequest unload;
  unload.set_model("other");
  v1::UnloadModelResponse unloaded;
  const grpc::Status status = Call(&v1::Forecaster::Stub::UnloadModel, unload, unloaded);
  ASSERT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(unloaded.deleted_streams(), 0);
  EXPECT_EQ(Pushed(Readings({"moved"}, 2)).steps(0), 2u);
}

TEST_P(KeptStreamsTest, NothingIsServedBeforeTheStreamsAreBack) {
  Pushed(Readings({"a"}, 1));
  Restart(false);
  v1::PushResponse response;
  const grpc::Status refused = Push(Readings({"a"}, 2), response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(refused.error_message(), HasSubstr("brings its streams back"));
  Recover();
  EXPECT_EQ(Pushed(Readings({"a"}, 2)).outcome(0), v1::OUTCOME_APPLIED);
}

// All in memory, or a few; the journal handed to the system before an answer, or synced.
INSTANTIATE_TEST_SUITE_P(Memory, KeptStreamsTest,
                         testing::Values(Keeping{"Enough", 0, Durability::kProcess},
                                         Keeping{"Little", 6000, Durability::kProcess},
                                         Keeping{"EnoughSynced", 0, Durability::kPower},
                                         Keeping{"LittleSynced", 6000, Durability::kPower}),
                         [](const auto& keeping) { return keeping.param.name; });

}  // namespace
}  // namespace tidegate
