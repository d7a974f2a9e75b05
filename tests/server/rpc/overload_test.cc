// What the server refuses when its clients give it too much, or take too little of it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/rpc/limits.h"
#include "server/shard/named_streams.h"
#include "tests/server/rpc/rpc_fixture.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

class OverloadTest : public RpcFixture {
 protected:
  explicit OverloadTest(std::size_t shards = 1) : RpcFixture(shards) {}

  struct Call {
    grpc::ClientContext context;
    std::unique_ptr<grpc::ClientReaderWriter<v1::PushRequest, v1::PushResponse>> stream;
  };

  static std::unique_ptr<Call> Open(v1::Forecaster::Stub& stub) {
    auto call = std::make_unique<Call>();
    call->stream = stub.Stream(&call->context);
    return call;
  }
  // Of a connection whose calls are sent 64 KiB, no more, before they read.
  std::unique_ptr<v1::Forecaster::Stub> NewStub() {
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);
    return v1::Forecaster::NewStub(NewChannel(arguments));
  }

  // So many readings of stream "a", all of second t: smaller than a window, and the answer larger.
  static v1::PushRequest Many(int readings, int t) {
    v1::PushRequest request;
    request.add_stream_id("a");
    for (int i = 0; i < readings; ++i) {
      request.add_handle(0);
      AddReading(request, t);
    }
    return request;
  }

  static void ExpectRefused(const grpc::Status& status, const char* reason, const char* text) {
    EXPECT_EQ(status.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
    EXPECT_THAT(status.error_message(), HasSubstr(text));
    EXPECT_THAT(status.error_details(), HasSubstr(reason));
    EXPECT_THAT(status.error_details(), HasSubstr("google.rpc.RetryInfo"));
  }
};

TEST_F(OverloadTest, AClientThatTakesNoAnswersHasSoManyReadingsAndNoMore) {
  constexpr int kReadings = 1'800;
  const auto stub = NewStub();
  std::vector<std::unique_ptr<Call>> calls;
  for (std::size_t readings = 0; readings < limits::kClientReadings; readings += kReadings) {
    calls.push_back(Open(*stub));
    ASSERT_TRUE(calls.back()->stream->Write(Many(kReadings, 1)));
  }
  const auto answered = [&] { return metrics_.request(Method::kStream, grpc::StatusCode::OK).value(); };
  while (answered() < calls.size()) std::this_thread::yield();
  v1::PushResponse response;
  ExpectRefused(Push(Readings({"b"}, 1), response), "CLIENT_OVERLOADED",
                "readings of this client are waiting");
  EXPECT_GE(metrics_.lack(Lack::kClientLimit).value(), 1u);
  // Calls that are over have none any more.
  for (const auto& call : calls) call->context.TryCancel();
  while (!Push(Readings({"b"}, 1), response).ok()) std::this_thread::yield();
  EXPECT_EQ(response.steps(0), 1u) << "what was refused was not applied";
}

// On each of two shards.
class FewWaitingReadingsTest : public OverloadTest {
 protected:
  static constexpr std::size_t kShards = 2;
  FewWaitingReadingsTest() : OverloadTest(kShards) {}
  RpcServer::Options ServerOptions() const override {
    RpcServer::Options options = OverloadTest::ServerOptions();
    options.serving.waiting_readings = 1000;
    return options;
  }

  // A stream of each shard, in turns: many readings, of which the network takes one a round. While those of
  // the other shard are stepped, the one that has the call looks at what comes.
  void Flood(const std::atomic<bool>& stop) {
    std::vector<std::string> ids;
    for (int number = 0; ids.size() < kShards; ++number) {
      std::string id = absl::StrCat(number);
      if (ShardOf(id, kShards) == ids.size()) ids.push_back(std::move(id));
    }
    grpc::ClientContext context;
    const auto stream = stub_->Stream(&context);
    std::thread reader([&] {
      v1::PushResponse response;
      while (stream->Read(&response)) {
      }
    });
    for (int t = 1; !stop; t += 4096) {
      for (const std::string& id : ids) {
        v1::PushRequest request = Many(4096, 0);
        for (int i = 0; i < request.timestamp_size(); ++i) request.set_timestamp(i, (t + i) * kSecond);
        request.clear_stream_id();
        request.clear_handle();
        for (int i = 0; i < request.timestamp_size(); ++i) request.add_stream_id(id);
        ASSERT_TRUE(stream->Write(request));
      }
    }
    stream->WritesDone();
    reader.join();
    EXPECT_TRUE(stream->Finish().ok());
  }
};

TEST_F(FewWaitingReadingsTest, APushIsRefusedWhileTooManyReadingsWaitAndNothingOfItIsApplied) {
  std::atomic<bool> stop = false;
  std::thread flood([&] { Flood(stop); });
  v1::PushResponse response;
  grpc::Status status;
  std::uint32_t applied = 0;
  while ((status = Push(Readings({"b"}, static_cast<int>(applied) + 1), response)).ok()) ++applied;
  stop = true;
  flood.join();
  ExpectRefused(status, "OVERLOADED", "too many readings are waiting on this server");
  std::uint64_t refused = 0;
  for (std::size_t shard = 0; shard < kShards; ++shard)
    refused += page_.shard(shard).lack(Lack::kWaitingReadings).value();
  EXPECT_GE(refused, 1u);
  EXPECT_EQ(Pushed(Readings({"b"}, static_cast<int>(applied) + 1)).steps(0), applied + 1);
}

TEST_F(OverloadTest, APushThatComesToItsTurnTooLateIsNotApplied) {
  const auto late = [&] {
    return metrics_.request(Method::kPush, grpc::StatusCode::DEADLINE_EXCEEDED).value();
  };
  int sent = 0;
  // What the server takes in must be long enough under way: that is up to the machine.
  while (late() == 0) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::microseconds(100 + sent % 900));
    v1::PushResponse response;
    stub_->Push(&context, Readings({"b"}, ++sent), &response);
  }
  server_.reset();  // nothing is under way
  std::uint64_t outcomes = 0;
  for (const auto& readings : metrics_.models[1].readings) outcomes += readings.value();
  EXPECT_EQ(metrics_.request(Method::kPush, grpc::StatusCode::OK).value(), outcomes);
}

// With little room for all clients, or for the only one that there is.
class LittleRoomTest : public OverloadTest,
                       public testing::WithParamInterface<std::size_t ServingOptions::*> {
 protected:
  static constexpr std::size_t kRoom = 250'000;  // bytes: for three of the requests below with their answers
  RpcServer::Options ServerOptions() const override {
    RpcServer::Options options = OverloadTest::ServerOptions();
    options.serving.*GetParam() = kRoom;
    return options;
  }
};

INSTANTIATE_TEST_SUITE_P(Of, LittleRoomTest,
                         testing::Values(&ServingOptions::unsent_bytes, &ServingOptions::client_unsent_bytes),
                         [](const auto& of) { return of.index == 0 ? "All" : "AClient"; });

TEST_P(LittleRoomTest, CallsWhoseAnswersNobodyTakesHoldSoMuchAndNoMore) {
  constexpr std::uint64_t kCalls = 20;
  const auto stub = NewStub();
  std::vector<std::unique_ptr<Call>> calls;
  for (std::uint64_t c = 0; c < kCalls; ++c) {
    calls.push_back(Open(*stub));
    ASSERT_TRUE(calls.back()->stream->Write(Many(1'800, 1)));
  }
  // All but three wait, and so does who comes now.
  const auto answered = [&] { return metrics_.request(Method::kStream, grpc::StatusCode::OK).value(); };
  while (metrics_.lack(Lack::kUnsent).value() < kCalls - 3 || answered() < 3) std::this_thread::yield();
  v1::PushResponse response;
  const grpc::Status refused = Push(Readings({"b"}, 1), response);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::RESOURCE_EXHAUSTED);
  EXPECT_THAT(refused.error_message(), HasSubstr("have not been taken"));
  EXPECT_EQ(answered(), 3u);
  // Once they are taken all goes on.
  std::vector<std::thread> readers;  // it is not said which three are answered
  readers.reserve(calls.size());
  for (const auto& call : calls) {
    readers.emplace_back([&call] {
      v1::PushResponse answer;
      EXPECT_TRUE(call->stream->Read(&answer));
      EXPECT_EQ(answer.outcome_size(), 1'800);
    });
  }
  for (std::thread& reader : readers) reader.join();
  EXPECT_EQ(answered(), kCalls);
  EXPECT_TRUE(Push(Readings({"b"}, 1), response).ok());
}

}  // namespace
}  // namespace tidegate
