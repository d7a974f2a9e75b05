#include "server/rpc/stream_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <thread>

#include "absl/strings/str_cat.h"
#include "server/rpc/limits.h"
#include "tests/server/rpc/rpc_fixture.h"

namespace tidegate {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;

class StreamCallTest : public RpcFixture {
 protected:
  using Stream = grpc::ClientReaderWriter<v1::PushRequest, v1::PushResponse>;
  struct Call {
    grpc::ClientContext context;
    std::unique_ptr<Stream> stream;
  };
  std::unique_ptr<Call> Open() {
    auto call = std::make_unique<Call>();
    call->stream = stub_->Stream(&call->context);
    return call;
  }

  // One reading at second t of each handle.
  static v1::PushRequest OfHandles(const std::vector<std::uint32_t>& handles, int t) {
    v1::PushRequest request;
    for (const std::uint32_t handle : handles) {
      request.add_handle(handle);
      AddReading(request, t);
    }
    return request;
  }
};

TEST_F(StreamCallTest, AnswersEachRequestInOrderWhileManyAreInFlight) {
  const auto call = Open();
  constexpr int kRequests = 3000;  // a multiple of kSampled
  std::thread writer([&] {
    ASSERT_TRUE(call->stream->Write(Readings({"a", "b", "c"}, 1)));
    for (int t = 2; t <= kRequests; ++t) ASSERT_TRUE(call->stream->Write(OfHandles({0, 2}, t)));
    ASSERT_TRUE(call->stream->WritesDone());
  });
  v1::PushResponse response;
  for (int t = 1; t <= kRequests; ++t) {
    ASSERT_TRUE(call->stream->Read(&response)) << t;
    ASSERT_THAT(response.steps(), Each(static_cast<std::uint32_t>(t)));
    ASSERT_THAT(response.outcome(), Each(v1::OUTCOME_APPLIED));
    ASSERT_EQ(response.outcome_size(), t == 1 ? 3 : 2);
  }
  EXPECT_FALSE(call->stream->Read(&response));
  writer.join();
  const grpc::Status status = call->stream->Finish();
  EXPECT_TRUE(status.ok()) << status.error_message();
  EXPECT_EQ(metrics_.request(Method::kStream, 0).value(), static_cast<std::uint64_t>(kRequests));
  server_.reset();  // its thread has counted all it will
  EXPECT_EQ(metrics_.open_calls.value(), 0);
  EXPECT_EQ(metrics_.waiting_readings.value(), 0);
  EXPECT_GT(metrics_.busy.seconds(), 0);
  for (const Stage stage : {Stage::kReceive, Stage::kQueue, Stage::kSend}) {
    const Histogram& histogram = metrics_.stage(stage);
    std::uint64_t count = 0;
    for (std::size_t i = 0; i <= histogram.bounds().size(); ++i) count += histogram.count(i);
    EXPECT_EQ(count, static_cast<std::uint64_t>(kRequests)) << static_cast<int>(stage);
    EXPECT_GT(histogram.sum(), 0);
  }
}

TEST_F(StreamCallTest, LargeAnswersArriveWholeAndInOrder) {
  std::vector<std::string> ids;
  std::vector<std::uint32_t> handles;
  for (std::uint32_t i = 0; i < 500; ++i) {
    ids.push_back(absl::StrCat("s", i));
    handles.insert(handles.end(), 8, i);
  }
  const auto call = Open();
  std::thread writer([&] {
    ASSERT_TRUE(call->stream->Write(Readings(ids, 1)));
    for (int t = 2; t <= 20; ++t) {
      v1::PushRequest request = OfHandles(handles, 0);
      for (int i = 0; i < request.timestamp_size(); ++i) request.set_timestamp(i, (t * 8 + i % 8) * kSecond);
      ASSERT_TRUE(call->stream->Write(request));
    }
    ASSERT_TRUE(call->stream->WritesDone());
  });
  v1::PushResponse response;
  ASSERT_TRUE(call->stream->Read(&response));
  std::uint32_t last = 1;
  while (call->stream->Read(&response)) {
    ASSERT_EQ(response.outcome_size(), 4000);
    ASSERT_THAT(response.outcome(), Each(v1::OUTCOME_APPLIED));
    EXPECT_GE(response.steps(0), last);
    last = response.steps(7);
  }
  writer.join();
  EXPECT_TRUE(call->stream->Finish().ok());
  EXPECT_EQ(Applied(), 500u + 19 * 4000);
}

TEST_F(StreamCallTest, HandlesCountOnOverMessagesAndBelongToTheirCall) {
  const auto first = Open();
  v1::PushResponse response;
  v1::PushRequest names;  // ids may be named before there are readings
  names.add_stream_id("a");
  names.add_stream_id("b");
  ASSERT_TRUE(first->stream->Write(names));
  ASSERT_TRUE(first->stream->Read(&response));
  EXPECT_EQ(response.outcome_size(), 0);
  v1::PushRequest request = OfHandles({1, 2, 3}, 1);
  request.add_stream_id("c");
  ASSERT_TRUE(first->stream->Write(request));
  ASSERT_TRUE(first->stream->Read(&response));
  EXPECT_THAT(response.outcome(), ElementsAre(v1::OUTCOME_APPLIED, v1::OUTCOME_APPLIED, v1::OUTCOME_INVALID));
  EXPECT_EQ(response.reason(2), v1::REASON_UNKNOWN_HANDLE);

  const auto second = Open();
  ASSERT_TRUE(second->stream->Write(OfHandles({1}, 2)));
  ASSERT_TRUE(second->stream->Read(&response));
  EXPECT_THAT(response.reason(), ElementsAre(v1::REASON_UNKNOWN_HANDLE));
  ASSERT_TRUE(second->stream->Write(Readings({"b"}, 2)));
  ASSERT_TRUE(second->stream->Read(&response));
  EXPECT_THAT(response.steps(), ElementsAre(2)) << "the stream outlives calls and is the same on all of them";
}

TEST_F(StreamCallTest, AReadingForAnotherModelIsInvalid) {
  const auto call = Open();
  v1::PushResponse response;
  ASSERT_TRUE(call->stream->Write(Readings({"a"}, 1)));
  ASSERT_TRUE(call->stream->Read(&response));
  v1::PushRequest request = OfHandles({0}, 2);
  request.set_model("other");
  ASSERT_TRUE(call->stream->Write(request));
  ASSERT_TRUE(call->stream->Read(&response));
  EXPECT_THAT(response.reason(), ElementsAre(v1::REASON_OTHER_MODEL));
}

TEST_F(StreamCallTest, ABadRequestEndsTheCallAfterTheAnswersBeforeIt) {
  const auto call = Open();
  ASSERT_TRUE(call->stream->Write(Readings({"a"}, 1)));
  ASSERT_TRUE(call->stream->Write(OfHandles({0}, 2)));
  v1::PushRequest bad = OfHandles({0}, 3);
  bad.add_handle(0);
  ASSERT_TRUE(call->stream->Write(bad));
  v1::PushResponse response;
  ASSERT_TRUE(call->stream->Read(&response));
  ASSERT_TRUE(call->stream->Read(&response));
  EXPECT_THAT(response.steps(), ElementsAre(2));
  EXPECT_FALSE(call->stream->Read(&response));
  const grpc::Status status = call->stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("1 readings (timestamp) with 2 handles"));
  EXPECT_EQ(metrics_.request(Method::kStream, 3).value(), 1u);
}

TEST_F(StreamCallTest, ACancelledCallHarmsNobodyAndWhatItSentStaysApplied) {
  for (int round = 0; round < 20; ++round) {
    const auto call = Open();
    ASSERT_TRUE(call->stream->Write(Readings({"a"}, 2 * round + 1)));
    v1::PushResponse response;
    ASSERT_TRUE(call->stream->Read(&response));
    ASSERT_EQ(response.steps(0), static_cast<std::uint32_t>(2 * round + 1));
    for (int i = 0; i < round; ++i) call->stream->Write(OfHandles({0}, 2 * round + 1));  // retries, not read
    call->context.TryCancel();
    EXPECT_EQ(call->stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
    ASSERT_TRUE(Push(Readings({"a"}, 2 * round + 2), response).ok());
    ASSERT_EQ(response.steps(0), static_cast<std::uint32_t>(2 * round + 2));
  }
}

TEST_F(StreamCallTest, AClientThatNeverReadsIsReadFromNoFurtherThanItsCredit) {
  auto call = std::make_unique<Call>();
  const auto greedy = v1::Forecaster::NewStub(NewChannel());
  call->stream = greedy->Stream(&call->context);
  std::vector<std::uint32_t> handles(1000, 0);
  constexpr int kRequests = 2000;  // two million readings, if they were taken
  int written = 0;
  std::thread writer([&] {
    if (!call->stream->Write(Readings({"greedy"}, 1))) return;
    for (; written < kRequests; ++written) {
      v1::PushRequest request = OfHandles(handles, 0);
      for (int i = 0; i < request.timestamp_size(); ++i)
        request.set_timestamp(i, (written * 1000 + i + 2) * kSecond);
      if (!call->stream->Write(request)) return;
    }
  });
  // Others are served meanwhile; the greedy one has come to a stop when nothing of its own happens for long.
  std::uint64_t applied = 0;
  v1::PushResponse response;
  for (int t = 1, still = 0; still < 1000; ++t) {
    ASSERT_TRUE(Push(Readings({"modest"}, t), response).ok());
    const std::uint64_t now = Applied() - static_cast<std::uint64_t>(t);
    still = now == applied ? still + 1 : 0;
    applied = now;
  }
  EXPECT_GE(applied, limits::kCallReadings);
  EXPECT_GE(metrics_.lack(Lack::kCallLimit).value(), 1u);
  EXPECT_GE(metrics_.open_calls.value(), 1);
  EXPECT_LT(applied, 400'000u) << "the credit, and what fits into the buffers of the connection";
  call->context.TryCancel();
  writer.join();
  EXPECT_LT(written, kRequests);
  EXPECT_EQ(call->stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

TEST_F(StreamCallTest, ShutdownAnswersWhatWasSentAndEndsOpenCalls) {
  const auto idle = Open();
  const auto busy = Open();
  v1::PushResponse response;
  ASSERT_TRUE(idle->stream->Write(Readings({"idle"}, 1)));
  ASSERT_TRUE(idle->stream->Read(&response));
  for (int t = 1; t <= 50; ++t) ASSERT_TRUE(busy->stream->Write(Readings({"busy"}, t)));
  ASSERT_TRUE(busy->stream->Read(&response));

  EXPECT_TRUE(server_->Shutdown(absl::Seconds(10)).ok());
  EXPECT_FALSE(idle->stream->Read(&response));
  const grpc::Status status = idle->stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("draining"));
  std::uint64_t answered = 1;
  while (busy->stream->Read(&response)) ++answered;
  EXPECT_EQ(busy->stream->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(answered, Applied() - 1) << "each reading that was applied is answered";
}

TEST_F(StreamCallTest, ShutdownCancelsACallWhoseClientDoesNotRead) {
  const auto call = Open();
  const std::vector<std::uint32_t> handles(4000, 0);
  ASSERT_TRUE(call->stream->Write(Readings({"a"}, 1)));
  std::thread writer([&] {
    while (call->stream->Write(OfHandles(handles, 2))) {
    }
  });
  v1::PushResponse response;
  for (int t = 1; metrics_.models[1].readings[2].value() < limits::kCallReadings; ++t) {  // duplicates
    ASSERT_TRUE(Push(Readings({"b"}, t), response).ok());
  }
  EXPECT_TRUE(server_->Shutdown(absl::Milliseconds(50)).ok());
  writer.join();
  while (call->stream->Read(&response)) {  // what had been sent before
  }
  EXPECT_FALSE(call->stream->Finish().ok());
}

class ImpatientStreamCallTest : public StreamCallTest {
 protected:
  RpcServer::Options ServerOptions() const override {
    RpcServer::Options options = StreamCallTest::ServerOptions();
    options.serving.stalled = absl::Milliseconds(50);
    options.serving.idle = absl::Milliseconds(50);
    options.serving.tick = absl::Milliseconds(10);
    return options;
  }
};

TEST_F(ImpatientStreamCallTest, ACallOnWhichNothingIsSentEndsAndItsStreamsStay) {
  const auto call = Open();
  v1::PushResponse response;
  ASSERT_TRUE(call->stream->Write(Readings({"a"}, 1)));
  ASSERT_TRUE(call->stream->Read(&response));
  EXPECT_FALSE(call->stream->Read(&response));
  const grpc::Status status = call->stream->Finish();
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_THAT(status.error_message(), HasSubstr("nothing was sent"));
  ASSERT_TRUE(Push(Readings({"a"}, 2), response).ok());
  EXPECT_EQ(response.steps(0), 2u);
}

TEST_F(ImpatientStreamCallTest, APushWhoseAnswerNobodyTakesIsCancelled) {
  v1::PushRequest request;
  request.add_stream_id("a");
  for (int t = 1; t <= 4000; ++t) {
    request.add_handle(0);
    AddReading(request, t);
  }
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_HTTP2_BDP_PROBE, 0);  // its window stays at 64 KiB, less than the answer
  const auto stub = v1::Forecaster::NewStub(NewChannel(arguments));
  grpc::ClientContext context;
  grpc::CompletionQueue queue;
  const auto call = stub->PrepareAsyncPush(&context, request, &queue);
  call->StartCall();
  void* tag = nullptr;
  bool ok = false;
  call->ReadInitialMetadata(&context);
  ASSERT_TRUE(queue.Next(&tag, &ok));
  while (metrics_.lack(Lack::kStalled).value() == 0) Pushed(Readings({"b"}, 1));
  v1::PushResponse response;
  grpc::Status status;
  call->Finish(&response, &status, &status);
  ASSERT_TRUE(queue.Next(&tag, &ok));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::CANCELLED) << status.error_message();
}

TEST_F(ImpatientStreamCallTest, ACallWhoseAnswersNobodyTakesIsCancelled) {
  const auto call = Open();
  const std::vector<std::uint32_t> handles(4000, 0);
  ASSERT_TRUE(call->stream->Write(Readings({"a"}, 1)));
  while (call->stream->Write(OfHandles(handles, 2))) {  // until the call is over
  }
  EXPECT_GE(metrics_.lack(Lack::kStalled).value(), 1u);
  v1::PushResponse response;
  while (call->stream->Read(&response)) {  // what had been sent before
  }
  EXPECT_EQ(call->stream->Finish().error_code(), grpc::StatusCode::CANCELLED);
}

}  // namespace
}  // namespace tidegate
