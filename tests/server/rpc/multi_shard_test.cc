// A server with several shards: what clients see does not depend on how many there are.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <bit>
#include <limits>
#include <map>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "engine/stream/replay.h"
#include "server/shard/named_streams.h"
#include "tests/server/rpc/rpc_fixture.h"

namespace tidegate {
namespace {

constexpr std::size_t kShards = 3;
constexpr std::int64_t kLatest = 1'000'000 * kSecond;

std::uint32_t Bits(float v) { return std::isnan(v) ? 0x7fc00000 : std::bit_cast<std::uint32_t>(v); }

class MultiShardTest : public RpcFixture {
 protected:
  MultiShardTest() : RpcFixture(kShards) {}

  std::shared_ptr<const Model> tiny() const { return repository_.models()[*repository_.Find("tiny")].model; }

  // Checks the answer to readings [n, 2] of these streams against streams of their own.
  void Check(const v1::PushRequest& request, const std::vector<std::string>& ids,
             const v1::PushResponse& answer, std::map<std::string, ReplayedStream>& alone) {
    ASSERT_EQ(static_cast<std::size_t>(answer.outcome_size()), ids.size());
    const std::size_t width = tiny()->spec().outputs();
    for (int i = 0; i < answer.outcome_size(); ++i) {
      const auto expected =
          alone.try_emplace(ids[static_cast<std::size_t>(i)], tiny())
              .first->second.Push(
                  {request.timestamp(i),
                   std::span(request.value().data(), static_cast<std::size_t>(request.value_size()))
                       .subspan(2 * static_cast<std::size_t>(i), 2)},
                  kLatest);
      ASSERT_EQ(answer.outcome(i), static_cast<int>(expected.outcome));
      ASSERT_EQ(answer.steps(i), expected.steps);
      ASSERT_EQ(answer.quality(i), expected.quality);
      ASSERT_EQ(Bits(answer.anomaly_score(i)), Bits(expected.anomaly_score));
      for (std::size_t k = 0; k < width; ++k) {
        ASSERT_EQ(Bits(answer.forecast(i * static_cast<int>(width) + static_cast<int>(k))),
                  Bits(expected.forecast[k]));
      }
    }
  }

  // Ids of the shards in turns: the hash is another one in each process.
  static std::vector<std::string> Ids(const std::string& prefix, std::size_t n) {
    std::vector<std::string> ids;
    for (int number = 0; ids.size() < n; ++number) {
      std::string id = absl::StrCat(prefix, number);
      if (ShardOf(id, kShards) == ids.size() % kShards) ids.push_back(std::move(id));
    }
    return ids;
  }
};

TEST_F(MultiShardTest, ReadingsOfManyCallsAreAnsweredAsIfTheirStreamsWereAlone) {
  std::vector<std::thread> clients;
  clients.reserve(4);
  for (int c = 0; c < 4; ++c) {
    clients.emplace_back([this, c] {
      const auto stub = v1::Forecaster::NewStub(NewChannel());
      const std::vector<std::string> names = Ids(absl::StrCat("client ", c, " stream "), 30);
      std::map<std::string, ReplayedStream> alone;
      std::mt19937 random(static_cast<unsigned>(c));
      grpc::ClientContext context;
      const auto stream = stub->Stream(&context);
      for (int t = 1; t <= 60; ++t) {
        v1::PushRequest request;
        std::vector<std::string> of;
        if (t == 1) {
          for (const std::string& name : names) request.add_stream_id(name);
        }
        const int n = static_cast<int>(random() % 40);
        for (int i = 0; i < n; ++i) {
          const auto stream_index = static_cast<std::uint32_t>(random() % names.size());
          request.add_handle(stream_index);
          of.push_back(names[stream_index]);
          // Sometimes late, sometimes again, sometimes after a pause.
          AddReading(request, 2 * t + static_cast<int>(random() % 5) - 2);
        }
        v1::PushResponse answer;
        ASSERT_TRUE(stream->Write(request));
        ASSERT_TRUE(stream->Read(&answer));
        Check(request, of, answer, alone);
      }
      stream->WritesDone();
      EXPECT_TRUE(stream->Finish().ok());
    });
  }
  for (std::thread& client : clients) client.join();
  for (std::size_t s = 0; s < kShards; ++s) EXPECT_GT(page_.shard(s).models[1].readings[1].value(), 0u) << s;
}

TEST_F(MultiShardTest, PushMixesStreamsOfAllShardsAndBadReadingsKeepTheirPlaces) {
  std::map<std::string, ReplayedStream> alone;
  const std::vector<std::string> ids = Ids("s", 20);
  for (int t = 1; t <= 5; ++t) {
    const v1::PushRequest request = Readings(ids, t);
    Check(request, ids, Pushed(request), alone);
  }
  v1::PushRequest bad = Readings(ids, 6);
  bad.set_stream_id(3, "with\ncontrol");
  bad.set_value(2 * 7, std::numeric_limits<float>::infinity());
  const v1::PushResponse answer = Pushed(bad);
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(answer.outcome(i), i == 3 || i == 7 ? v1::OUTCOME_INVALID : v1::OUTCOME_APPLIED) << i;
    EXPECT_EQ(answer.reason(i), i == 3   ? v1::REASON_STREAM_ID
                                : i == 7 ? v1::REASON_INFINITE_VALUE
                                         : v1::REASON_UNSPECIFIED);
  }
}

// Room for answers is used over and over.
TEST_F(MultiShardTest, ReasonsAreOnlyOfMessagesThatHaveSome) {
  const std::vector<std::string> ids = Ids("reason", 6);
  for (int t = 1; t < 20; ++t) {
    v1::PushRequest request = Readings(ids, t);
    if (t == 2) request.set_value(3, std::numeric_limits<float>::infinity());
    EXPECT_EQ(Pushed(request).reason_size(), t == 2 ? 6 : 0) << t;
  }
}

TEST_F(MultiShardTest, AMessageWithoutReadingsIsAnswered) {
  EXPECT_EQ(Pushed(v1::PushRequest()).outcome_size(), 0);
  v1::PushRequest names;
  names.add_stream_id("only named");
  grpc::ClientContext context;
  const auto stream = stub_->Stream(&context);
  v1::PushResponse answer;
  ASSERT_TRUE(stream->Write(names));
  ASSERT_TRUE(stream->Read(&answer));
  EXPECT_EQ(answer.outcome_size(), 0);
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(MultiShardTest, QuestionsFindStreamsWhereverTheyAre) {
  const std::vector<std::string> ids = Ids("s", 30);
  for (int t = 1; t <= 3; ++t) Pushed(Readings(ids, t));

  v1::GetCursorRequest cursors;
  for (const std::string& id : ids) cursors.add_stream_id(id);
  cursors.add_stream_id("nowhere");
  v1::GetCursorResponse cursor;
  ASSERT_TRUE(Call(&v1::Forecaster::Stub::GetCursor, cursors, cursor).ok());
  for (int i = 0; i < 30; ++i) EXPECT_EQ(cursor.timestamp(i), 3 * kSecond);
  EXPECT_EQ(cursor.timestamp(30), -1);

  std::vector<std::string> listed;
  v1::ListStreamsRequest list;
  list.set_page_size(7);
  v1::ListStreamsResponse page;
  do {
    ASSERT_TRUE(Call(&v1::Forecaster::Stub::ListStreams, list, page).ok());
    for (const v1::StreamInfo& info : page.stream()) listed.push_back(info.stream_id());
    list.set_page_token(page.next_page_token());
  } while (!page.next_page_token().empty());
  EXPECT_THAT(listed, testing::UnorderedElementsAreArray(ids));

  v1::ListModelsResponse models;
  ASSERT_TRUE(Call(&v1::Forecaster::Stub::ListModels, v1::ListModelsRequest(), models).ok());
  EXPECT_EQ(models.model(1).streams(), 30u);

  for (const std::string& id : ids) {
    v1::ForecastRequest request;
    v1::ForecastResponse forecast;
    request.set_stream_id(id);
    ASSERT_TRUE(Call(&v1::Forecaster::Stub::Forecast, request, forecast).ok());
    EXPECT_EQ(forecast.stream().steps(), 3u);

    v1::ForkStreamRequest fork;  // to wherever the new id belongs
    v1::StreamInfo forked;
    fork.set_stream_id(id);
    fork.set_new_stream_id(absl::StrCat("fork of ", id));
    ASSERT_TRUE(Call(&v1::Forecaster::Stub::ForkStream, fork, forked).ok());
    EXPECT_EQ(forked.steps(), 3u);
    EXPECT_EQ(Call(&v1::Forecaster::Stub::ForkStream, fork, forked).error_code(),
              grpc::StatusCode::ALREADY_EXISTS);

    v1::DeleteStreamRequest gone;
    v1::DeleteStreamResponse nothing;
    gone.set_stream_id(id);
    ASSERT_TRUE(Call(&v1::Forecaster::Stub::DeleteStream, gone, nothing).ok());
    EXPECT_EQ(Call(&v1::Forecaster::Stub::DeleteStream, gone, nothing).error_code(),
              grpc::StatusCode::NOT_FOUND);
  }
  // The forks go on as the originals would have.
  std::vector<std::string> forks;
  forks.reserve(ids.size());
  for (const std::string& id : ids) forks.push_back(absl::StrCat("fork of ", id));
  EXPECT_THAT(Pushed(Readings(forks, 4)).steps(), testing::Each(4u));
}

TEST_F(MultiShardTest, ASubscriberSeesTheStreamsOfAllShards) {
  const std::vector<std::string> ids = Ids("s", 12);
  v1::SubscribeRequest some;
  for (const std::size_t i : {1, 4, 7, 9}) some.add_stream_id(ids[i]);
  for (const v1::SubscribeRequest& wanted : {v1::SubscribeRequest(), some}) {
    const std::size_t streams = wanted.stream_id_size() == 0 ? 12 : 4;
    const auto stub = v1::Forecaster::NewStub(NewChannel());
    grpc::ClientContext context;
    const auto reader = stub->Subscribe(&context, wanted);
    reader->WaitForInitialMetadata();
    const int begin = wanted.stream_id_size() == 0 ? 0 : 100;
    for (int t = 1; t <= 20; ++t) Pushed(Readings(ids, begin + t));
    std::map<std::string, std::int64_t> last;
    v1::Events events;
    for (std::size_t seen = 0; seen < 20 * streams;) {
      ASSERT_TRUE(reader->Read(&events));
      for (int i = 0; i < events.timestamp_size(); ++i, ++seen) {
        std::int64_t& before = last[events.stream_id(i)];
        EXPECT_GT(events.timestamp(i), before) << "in order per stream";
        before = events.timestamp(i);
      }
    }
    EXPECT_EQ(last.size(), streams);
    context.TryCancel();
    reader->Finish();
  }
}

TEST_F(MultiShardTest, TheLimitOfStreamsIsOneForAllShards) {
  const std::vector<std::string> ids = Ids("s", 1100);  // the server has room for 1,000
  const v1::PushResponse answer = Pushed(Readings(ids, 1));
  EXPECT_EQ(std::count(answer.outcome().begin(), answer.outcome().end(), v1::OUTCOME_APPLIED), 1000);
  EXPECT_EQ(std::count(answer.outcome().begin(), answer.outcome().end(), v1::OUTCOME_OVERLOADED), 100);
}

TEST_F(MultiShardTest, AShutdownUnderLoadAnswersOrRefusesEveryMessage) {
  std::atomic<int> going{0};
  std::vector<std::thread> clients;
  clients.reserve(4);
  for (int c = 0; c < 4; ++c) {
    clients.emplace_back([this, c, &going] {
      const auto stub = v1::Forecaster::NewStub(NewChannel());
      const std::vector<std::string> ids = Ids(absl::StrCat(c, " "), 20);
      grpc::ClientContext context;
      const auto stream = stub->Stream(&context);
      v1::PushResponse answer;
      int t = 0;
      while (stream->Write(Readings(ids, ++t)) && stream->Read(&answer)) {
        EXPECT_EQ(answer.outcome_size(), 20);
        if (t == 3) ++going;
      }
      EXPECT_GT(t, 3);
      EXPECT_EQ(stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
    });
  }
  while (going < 4) std::this_thread::yield();
  EXPECT_TRUE(server_->Shutdown(absl::Seconds(10)).ok());
  for (std::thread& client : clients) client.join();
  for (std::size_t s = 0; s < kShards; ++s) EXPECT_EQ(page_.shard(s).open_calls.value(), 0);
}

}  // namespace
}  // namespace tidegate
