#include "server/rpc/request_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "server/rpc/limits.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

v1::PushRequest Columns(int readings, int values, int handles, int ids) {
  v1::PushRequest request;
  for (int i = 0; i < readings; ++i) request.add_timestamp(i);
  for (int i = 0; i < values; ++i) request.add_value(0);
  for (int i = 0; i < handles; ++i) request.add_handle(0);
  const std::string id = "a";
  for (int i = 0; i < ids; ++i) request.add_stream_id(id);
  return request;
}

TEST(RequestCheckTest, ColumnsThatAgreeAreFine) {
  const ModelSpec spec = TinySpec();  // two features
  for (const v1::PushRequest& request :
       {Columns(3, 6, 0, 3), Columns(3, 6, 3, 0), Columns(3, 6, 3, 1), Columns(3, 6, 3, 9),
        Columns(0, 0, 0, 0), Columns(0, 0, 0, 5), Columns(4096, 8192, 4096, 0)}) {
    const absl::Status status = CheckRequest(request, spec, 0);
    EXPECT_TRUE(status.ok()) << status;
  }
}

TEST(RequestCheckTest, ColumnsThatDisagreeAreNamedWithTheirLengths) {
  const ModelSpec spec = TinySpec();
  const auto error = [&](const v1::PushRequest& request) {
    const absl::Status status = CheckRequest(request, spec, 0);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(error(Columns(3, 5, 0, 3)), HasSubstr("3 readings (timestamp) with 5 values"));
  EXPECT_THAT(error(Columns(3, 5, 0, 3)), HasSubstr("2 values a reading, 6 in all"));
  EXPECT_THAT(error(Columns(3, 6, 2, 0)), HasSubstr("with 2 handles"));
  EXPECT_THAT(error(Columns(3, 6, 0, 2)), HasSubstr("no handles and 2 stream ids"));
  EXPECT_THAT(error(Columns(0, 0, 1, 0)), HasSubstr("with 1 handles"));
  EXPECT_THAT(error(Columns(4097, 8194, 4097, 0)),
              HasSubstr("the most for model 'tiny', with the forecasts asked for, are 4096"));
}

TEST(RequestCheckTest, AModelWithLongForecastsTakesFewerReadings) {
  ModelSpec spec = TinySpec();
  spec.horizon = 1000;
  const std::size_t most = MaxMessageReadings(spec.outputs());
  EXPECT_LT(most, 300u);
  EXPECT_LE(most * AnswerBytes(spec.outputs()), limits::kAnswerBytes);
  const int n = static_cast<int>(most);
  EXPECT_TRUE(CheckRequest(Columns(n, 2 * n, n, 0), spec, 0).ok());
  v1::PushRequest more = Columns(n + 1, 2 * n + 2, n + 1, 0);
  EXPECT_FALSE(CheckRequest(more, spec, 0).ok());
  more.set_horizon(10);
  EXPECT_TRUE(CheckRequest(more, spec, 0).ok());
}

TEST(RequestCheckTest, OnlyStepsAndLevelsOfTheModelAreForecast) {
  const ModelSpec spec = TinySpec();  // 3 steps; 0.1, 0.5, 0.9
  const auto error = [&](std::uint32_t horizon, const std::vector<float>& levels) {
    v1::PushRequest request = Columns(1, 2, 1, 0);
    request.set_horizon(horizon);
    request.mutable_quantile()->Assign(levels.begin(), levels.end());
    return std::string(CheckRequest(request, spec, 0).message());
  };
  EXPECT_EQ(error(0, {}), "");
  EXPECT_EQ(error(3, {0.1f, 0.9f}), "");
  EXPECT_THAT(error(4, {}), HasSubstr("horizon: 4 steps; model 'tiny' forecasts 3"));
  EXPECT_THAT(error(1, {0.2f}), HasSubstr("quantile: 0.2; model 'tiny' forecasts 0.1, 0.5, 0.9"));
  EXPECT_THAT(error(1, {0.5f, 0.1f}), HasSubstr("quantile: 0.1"));
  EXPECT_THAT(error(1, {0.5f, 0.5f}), HasSubstr("quantile: 0.5"));
  EXPECT_THAT(error(1, {std::nanf("")}), HasSubstr("quantile: nan"));
}

TEST(RequestCheckTest, AMessageNamesABoundedNumberOfStreams) {
  const absl::Status status = CheckRequest(Columns(0, 0, 0, 4097), TinySpec(), 0);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("stream_id: 4097 stream ids in a message, at most 4096"));
  EXPECT_TRUE(CheckRequest(Columns(0, 0, 0, 4096), TinySpec(), 0).ok());
}

TEST(RequestCheckTest, ACallNamesABoundedNumberOfStreams) {
  const absl::Status status = CheckRequest(Columns(1, 2, 0, 1), TinySpec(), limits::kCallHandles);
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_THAT(std::string(status.message()), HasSubstr("1048577 stream ids"));
  EXPECT_TRUE(CheckRequest(Columns(1, 2, 0, 1), TinySpec(), limits::kCallHandles - 1).ok());
}

TEST(RequestCheckTest, TheAnswerOfPreparedRoomIsWithinItsBound) {
  const ModelSpec spec = TinySpec();
  Exchange exchange(1);
  exchange.request = Columns(50, 100, 0, 50);
  PrepareExchange(spec, exchange);
  EXPECT_EQ(exchange.size(), 50u);
  EXPECT_EQ(exchange.forecast.size(), 50 * spec.outputs());
  EXPECT_EQ(exchange.response.horizon(), 3u);
  EXPECT_EQ(exchange.response.quantile_size(), 3);
  EXPECT_EQ(exchange.response.interval(), spec.interval_ns);
  std::fill(exchange.outcome.begin(), exchange.outcome.end(), 8);
  std::fill(exchange.reason.begin(), exchange.reason.end(), 6);
  EXPECT_LE(exchange.response.ByteSizeLong(), 50 * AnswerBytes(spec.outputs()) + 100);
  CompleteResponse(exchange);
  EXPECT_EQ(exchange.response.reason_size(), 0);
}

}  // namespace
}  // namespace tidegate
