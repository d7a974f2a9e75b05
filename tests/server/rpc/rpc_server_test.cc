#include "server/rpc/rpc_server.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "engine/stream/replay.h"
#include "tests/server/rpc/rpc_fixture.h"
#include "tests/server/rpc/send_bytes.h"

namespace tidegate {
namespace {

using testing::Each;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pointwise;

using RpcServerTest = RpcFixture;

TEST_F(RpcServerTest, PushAnswersWithTheForecastOfTheModel) {
  v1::PushResponse response;
  ReplayedStream alone(repository_.models()[1].model);
  std::vector<float> expected;
  for (int t = 0; t < 6; ++t) {
    const v1::PushRequest request = Readings({"a"}, t);
    const std::span values(request.value().data(), static_cast<std::size_t>(request.value_size()));
    expected =
        alone.Push({.timestamp_ns = request.timestamp(0), .values = values}, request.timestamp(0)).forecast;
    const grpc::Status status = Push(request, response);
    ASSERT_TRUE(status.ok()) << status.error_message();
  }
  EXPECT_THAT(response.outcome(), ElementsAre(v1::OUTCOME_APPLIED));
  EXPECT_THAT(response.reason(), ElementsAre());
  EXPECT_THAT(response.steps(), ElementsAre(6));
  EXPECT_THAT(response.forecast(), Pointwise(testing::Eq(), expected));
  EXPECT_EQ(response.horizon(), 3u);
  EXPECT_THAT(response.quantile(), ElementsAre(0.1f, 0.5f, 0.9f));
  EXPECT_EQ(response.interval(), kSecond);
}

TEST_F(RpcServerTest, AnswersHoldTheStepsAndLevelsAskedFor) {
  v1::PushResponse whole, part, none;
  ASSERT_TRUE(Push(Readings({"a", "b"}, 1), whole).ok());
  v1::PushRequest request = Readings({"a", "b"}, 1);  // again, so that the forecasts are the same
  request.set_horizon(2);
  request.add_quantile(0.1f);
  request.add_quantile(0.9f);
  ASSERT_TRUE(Push(request, part).ok());
  EXPECT_EQ(part.horizon(), 2u);
  EXPECT_THAT(part.quantile(), ElementsAre(0.1f, 0.9f));
  ASSERT_EQ(part.forecast_size(), 8);
  for (int reading = 0; reading < 2; ++reading) {
    for (int h = 0; h < 2; ++h) {
      for (int q = 0; q < 2; ++q) {
        EXPECT_EQ(part.forecast((reading * 2 + h) * 2 + q), whole.forecast((reading * 3 + h) * 3 + 2 * q));
      }
    }
  }
  request.set_acknowledge_only(true);
  ASSERT_TRUE(Push(request, none).ok());
  EXPECT_THAT(none.outcome(), Each(v1::OUTCOME_DUPLICATE));
  EXPECT_EQ(none.forecast_size() + none.steps_size() + none.quality_size() + none.anomaly_score_size(), 0);
  EXPECT_EQ(none.quantile_size(), 0);
  EXPECT_EQ(none.horizon(), 0u);
}

TEST_F(RpcServerTest, OneBadReadingIsAnsweredBesideItsNeighbours) {
  v1::PushRequest request = Readings({"a", "", "b"}, 1);
  request.set_value(4, INFINITY);
  v1::PushResponse response;
  ASSERT_TRUE(Push(request, response).ok());
  EXPECT_THAT(response.outcome(), ElementsAre(v1::OUTCOME_APPLIED, v1::OUTCOME_INVALID, v1::OUTCOME_INVALID));
  EXPECT_THAT(response.reason(),
              ElementsAre(v1::REASON_UNSPECIFIED, v1::REASON_STREAM_ID, v1::REASON_INFINITE_VALUE));
  ASSERT_EQ(response.forecast_size(), 27);
  EXPECT_FALSE(std::isnan(response.forecast(8)));
  for (int i = 9; i < 27; ++i) EXPECT_TRUE(std::isnan(response.forecast(i)));
}

TEST_F(RpcServerTest, ARetryGetsTheSameAnswerBits) {
  const v1::PushRequest request = Readings({"a", "b"}, 1);
  v1::PushResponse first, second;
  ASSERT_TRUE(Push(request, first).ok());
  ASSERT_TRUE(Push(request, second).ok());
  EXPECT_THAT(second.outcome(), Each(v1::OUTCOME_DUPLICATE));
  second.mutable_outcome()->CopyFrom(first.outcome());
  EXPECT_EQ(first.SerializeAsString(), second.SerializeAsString());
}

TEST_F(RpcServerTest, TooFarInTheFutureIsInvalid) {
  v1::PushRequest request = Readings({"a", "b"}, 1);
  const std::int64_t now = absl::ToUnixNanos(absl::Now());
  request.set_timestamp(0, now + 600 * kSecond);
  request.set_timestamp(1, now + 200 * kSecond);
  v1::PushResponse response;
  ASSERT_TRUE(Push(request, response).ok());
  EXPECT_THAT(response.outcome(), ElementsAre(v1::OUTCOME_INVALID, v1::OUTCOME_APPLIED));
  EXPECT_EQ(response.reason(0), v1::REASON_FUTURE_TIMESTAMP);
}

TEST_F(RpcServerTest, FaultsOfTheWholeRequestAreAStatusThatSaysWhatToSend) {
  v1::PushResponse response;
  v1::PushRequest request = Readings({"a"}, 1);
  request.add_value(1);
  grpc::Status status = Push(request, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(status.error_message(), HasSubstr("1 readings (timestamp) with 3 values"));
  request = Readings({"a"}, 1);
  request.set_model("nobody");
  status = Push(request, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), HasSubstr("no model 'nobody': this server has other, tiny"));
  EXPECT_EQ(metrics_.request(Method::kPush, 3).value(), 1u);
  EXPECT_EQ(metrics_.request(Method::kPush, 5).value(), 1u);
  EXPECT_EQ(Applied(), 0u);
}

TEST_F(RpcServerTest, BytesThatAreNoRequestAreInvalidOnBothMethods) {
  const std::string no_utf8 = "\x12\x02\xff\xfe";  // stream_id: two bytes
  for (const char* method : {"/tidegate.v1.Forecaster/Push", "/tidegate.v1.Forecaster/Stream"}) {
    for (const std::string& bytes : {std::string("\xff\xff\xff"), std::string("hello"), no_utf8}) {
      const grpc::Status status = SendBytes(NewChannel(), method, bytes);
      EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT)
          << method << " " << status.error_message();
    }
    EXPECT_TRUE(SendBytes(NewChannel(), method, "").ok()) << "a message without fields has no readings";
  }
}

TEST_F(RpcServerTest, FieldsThatTheServerDoesNotKnowAreLeftAsideIfTheyAreFew) {
  const std::string field("\xe0\x03\x00", 3);  // number 60, the number 0
  std::string few, many;
  for (int i = 0; i < 64; ++i) few += field;
  many = few + field;
  for (const char* method : {"Push", "Stream", "GetStream"}) {
    const std::string path = absl::StrCat("/tidegate.v1.Forecaster/", method);
    const bool asks = std::string(method) == "GetStream";  // for a stream that there is not
    EXPECT_EQ(SendBytes(NewChannel(), path, few).error_code(),
              asks ? grpc::StatusCode::NOT_FOUND : grpc::StatusCode::OK);
    EXPECT_EQ(SendBytes(NewChannel(), path, many).error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  }
  // Within a message within.
  const std::string state(absl::StrCat("\x12", std::string("\xc3\x01", 2)));  // field 2, 195 bytes
  EXPECT_THAT(SendBytes(NewChannel(), "/tidegate.v1.Forecaster/ImportStream", state + many).error_message(),
              HasSubstr("65 fields that this server does not know"));
}

TEST_F(RpcServerTest, CompressedRequestsAreRefused) {
  grpc::ChannelArguments arguments;
  arguments.SetCompressionAlgorithm(GRPC_COMPRESS_GZIP);
  const auto channel =
      grpc::CreateCustomChannel(server_->address(), grpc::InsecureChannelCredentials(), arguments);
  grpc::ClientContext context;
  v1::PushResponse response;
  const auto status = v1::Forecaster::NewStub(channel)->Push(&context, Readings({"a"}, 1), &response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::UNIMPLEMENTED) << status.error_message();
}

TEST_F(RpcServerTest, ManyClientsPushAtOnce) {
  std::vector<std::thread> clients;
  clients.reserve(4);
  for (int c = 0; c < 4; ++c) {
    clients.emplace_back([&, c] {
      const auto stub = v1::Forecaster::NewStub(NewChannel());
      for (int t = 1; t <= 50; ++t) {
        grpc::ClientContext context;
        v1::PushResponse response;
        const auto status = stub->Push(&context, Readings({std::to_string(c)}, t), &response);
        ASSERT_TRUE(status.ok()) << status.error_message();
        ASSERT_THAT(response.steps(), ElementsAre(static_cast<std::uint32_t>(t)));
      }
    });
  }
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(Applied(), 200u);
  EXPECT_EQ(metrics_.request(Method::kPush, 0).value(), 200u);
}

RpcServer::Options Listening(const std::string& address) {
  RpcServer::Options options;
  options.listen = address;
  return options;
}

TEST_F(RpcServerTest, APortInUseAndAnAddressThatIsNoneAreErrors) {
  Metrics metrics({}, {{.name = "other"}, {.name = "tiny"}}, /*shard_count=*/1);
  const auto second = RpcServer::Start(Listening(server_->address()), repository_, metrics);
  EXPECT_EQ(second.status().code(), absl::StatusCode::kUnavailable);
  EXPECT_THAT(std::string(second.status().message()), HasSubstr(server_->address()));
  EXPECT_FALSE(RpcServer::Start(Listening("nonsense"), repository_, metrics).ok());
  EXPECT_FALSE(RpcServer::Start(Listening("127.0.0.1:seven"), repository_, metrics).ok());
}

}  // namespace
}  // namespace tidegate
