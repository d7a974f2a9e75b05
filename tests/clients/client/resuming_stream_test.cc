// Against a server in this process. What a server's death does to it is tested in tests/e2e/resume_test.cc
// and tests/faults/kill9.

#include "clients/client/resuming_stream.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "tests/server/rpc/rpc_fixture.h"

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ResumingStreamTest : public RpcFixture {
 protected:
  ResumingStream::Options Options() {
    ResumingStream::Options options;
    options.wanted.set_model("tiny");
    options.first_delay = absl::Milliseconds(1);
    options.most_delay = absl::Milliseconds(2);
    options.retry_for = absl::Milliseconds(20);
    options.most_unanswered = 0;  // Send returns with the answer
    options.on_interruption = [this](const auto& interruption) {
      interruptions_.push_back(interruption);
      return absl::OkStatus();
    };
    return options;
  }
  ResumingStream::OnAnswer OnAnswer() {
    return [this](const ResumingStream::Answer& answer) {
      for (int i = 0; i < answer.response.outcome_size(); ++i) {
        outcomes_.push_back(answer.response.outcome(i));
        numbers_.push_back(answer.request.sequence(i));
      }
      return absl::OkStatus();
    };
  }
  ResumingStream Open() {
    return {[this] { return NewChannel(); }, Options(), OnAnswer()};
  }

  static ResumingStream::Reading At(std::uint32_t stream, int t) {
    static constexpr std::array<float, 2> kValues = {20, 50};
    return {.stream = stream, .timestamp_ns = t * kSecond, .values = kValues};
  }

  std::vector<ResumingStream::Interruption> interruptions_;
  std::vector<int> outcomes_;
  std::vector<std::uint64_t> numbers_;
};

TEST_F(ResumingStreamTest, NumbersReadingsStreamByStreamAndAnswersThemInOrder) {
  ResumingStream stream = Open();
  const std::uint32_t a = stream.AddStream("a"), b = stream.AddStream("b");
  ASSERT_TRUE(stream.Send(std::vector{At(a, 1), At(b, 1), At(a, 2)}).ok());
  ASSERT_TRUE(stream.Send(std::vector{At(b, 2), At(a, 2)}).ok());  // the last one is late
  ASSERT_TRUE(stream.Finish().ok());
  EXPECT_THAT(numbers_, ElementsAre(1, 1, 2, 2, 3));
  EXPECT_THAT(outcomes_, ElementsAre(v1::OUTCOME_APPLIED, v1::OUTCOME_APPLIED, v1::OUTCOME_APPLIED,
                                     v1::OUTCOME_APPLIED, v1::OUTCOME_LATE));
  EXPECT_EQ(stream.unanswered(), 0u);
  EXPECT_EQ(stream.interruptions(), 0u);
}

TEST_F(ResumingStreamTest, GoesOnBehindTheCursor) {
  {
    ResumingStream stream = Open();
    ASSERT_TRUE(stream.Send(std::vector{At(stream.AddStream("a"), 1)}).ok());
    ASSERT_TRUE(stream.Finish().ok());
  }
  ResumingStream stream = Open();
  const auto cursors = stream.AskCursors(std::vector<std::string>{"b", "a"});
  ASSERT_TRUE(cursors.ok()) << cursors.status();
  EXPECT_EQ((*cursors)[0].sequence, 0u);
  EXPECT_EQ((*cursors)[0].timestamp_ns, -1);
  EXPECT_EQ((*cursors)[1].sequence, 1u);
  EXPECT_EQ((*cursors)[1].timestamp_ns, kSecond);
  const std::uint32_t a = stream.AddStream("a", (*cursors)[1].sequence);
  ASSERT_TRUE(stream.Send(std::vector{At(a, 2)}).ok());
  ASSERT_TRUE(stream.Finish().ok());
  EXPECT_THAT(numbers_, ElementsAre(1, 2));
  EXPECT_EQ(outcomes_.back(), v1::OUTCOME_APPLIED);
}

TEST_F(ResumingStreamTest, AStreamThatIsDeletedMeanwhileIsALoss) {
  ResumingStream stream = Open();
  const std::uint32_t a = stream.AddStream("a");
  ASSERT_TRUE(stream.Send(std::vector{At(a, 1)}).ok());
  v1::DeleteStreamRequest request;
  request.set_stream_id("a");
  v1::DeleteStreamResponse response;
  ASSERT_TRUE(Call(&v1::Forecaster::Stub::DeleteStream, request, response).ok());
  const absl::Status status = stream.Send(std::vector{At(a, 2)});
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss) << status;
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("'a': it had answered number 1 and now has those up to 0"));
  EXPECT_EQ(stream.Finish(), status);
}

TEST_F(ResumingStreamTest, WhatIsWrongAsAWholeIsNotTriedAgain) {
  ResumingStream stream = Open();
  const std::array<float, 1> values = {20};
  const absl::Status status = stream.Send(std::vector{
      ResumingStream::Reading{.stream = stream.AddStream("a"), .timestamp_ns = kSecond, .values = values}});
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  EXPECT_TRUE(interruptions_.empty());
}

TEST_F(ResumingStreamTest, ACallThatBrokeWhileNothingWaitedIsBegunAnewHoweverLongThatIsAgo) {
  ResumingStream stream = Open();
  ResumingStream::Reading reading = At(stream.AddStream("a"), 1);
  reading.numbered = false;
  ASSERT_TRUE(stream.Send(std::vector{reading}).ok());
  server_.reset();
  while (stream.interruptions() == 0) ASSERT_TRUE(stream.Send({}).ok());
  const absl::Time broken = absl::Now();
  while (absl::Now() < broken + 2 * Options().retry_for) ASSERT_TRUE(stream.Send({}).ok());
  auto server = RpcServer::Start(ServerOptions(), repository_, page_);
  ASSERT_TRUE(server.ok()) << server.status();
  server_ = *std::move(server);
  reading.timestamp_ns += kSecond;
  const absl::Status status = stream.Send(std::vector{reading});
  EXPECT_TRUE(status.ok()) << status;
  EXPECT_EQ(outcomes_.size(), 2u);
}

TEST_F(ResumingStreamTest, GivesUpWhenNoServerComesUp) {
  ResumingStream stream = Open();
  const std::uint32_t a = stream.AddStream("a");
  ASSERT_TRUE(stream.Send(std::vector{At(a, 1)}).ok());
  ASSERT_TRUE(server_->Shutdown(absl::ZeroDuration()).ok());
  const absl::Status status = stream.Send(std::vector{At(a, 2)});
  EXPECT_EQ(status.code(), absl::StatusCode::kUnavailable) << status;
  EXPECT_THAT(std::string(status.message()), HasSubstr("gave up after"));
  ASSERT_FALSE(interruptions_.empty());
  EXPECT_EQ(interruptions_.back().unanswered, 1u);
  EXPECT_EQ(stream.interruptions(), 1u);
}

}  // namespace
}  // namespace tidegate
