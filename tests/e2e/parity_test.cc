// What the server answers over gRPC is, bit for bit, what the engine computes from the same readings.

#include <gmock/gmock.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <limits>
#include <random>
#include <vector>

#include "engine/model/model_file.h"
#include "engine/stream/replay.h"
#include "tests/e2e/executables.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

constexpr std::size_t kStreams = 7;
constexpr std::size_t kReadings = 60;
constexpr std::size_t kFeatures = 2;

// Random walks [kReadings, kFeatures], one value in twenty missing.
std::vector<float> Walk(unsigned seed) {
  std::mt19937 random(seed);
  std::normal_distribution<float> step(0, 0.5f);
  std::uniform_int_distribution<int> twenty(0, 19);
  std::vector<float> values;
  std::vector<float> level = {20, 50};
  for (std::size_t i = 0; i < kReadings * kFeatures; ++i) {
    level[i % kFeatures] += step(random);
    values.push_back(twenty(random) == 0 ? std::numeric_limits<float>::quiet_NaN() : level[i % kFeatures]);
  }
  return values;
}

std::vector<std::uint32_t> Bits(std::span<const float> values) {
  std::vector<std::uint32_t> bits;
  for (const float value : values) bits.push_back(std::bit_cast<std::uint32_t>(value));
  return bits;
}

class ParityTest : public testing::Test {
 protected:
  ParityTest() {
    WriteTinyModel(folder_.path());
    server_ = std::make_unique<RunningServer>(folder_.path());
    model_ = *ReadModel(folder_.path() / "tiny" / "1");
    for (unsigned s = 0; s < kStreams; ++s) {
      walks_.push_back(Walk(s));
      ReplayedStream alone(model_);
      for (std::size_t t = 0; t < kReadings; ++t) {
        const std::span values = std::span(walks_[s]).subspan(t * kFeatures, kFeatures);
        forecasts_[s].push_back(
            alone.Push({.timestamp_ns = TimeOf(t), .values = values}, TimeOf(t)).forecast);
      }
    }
  }

  std::int64_t TimeOf(std::size_t t) const {
    return static_cast<std::int64_t>(t + 1) * model_->spec().interval_ns;
  }

  // The request with reading `t` of every stream, ids sent with it.
  v1::PushRequest Tick(std::size_t t) const {
    v1::PushRequest request;
    for (std::size_t s = 0; s < kStreams; ++s) {
      request.add_stream_id(absl::StrCat("stream ", s));
      request.add_timestamp(TimeOf(t));
      for (std::size_t f = 0; f < kFeatures; ++f) request.add_value(walks_[s][t * kFeatures + f]);
    }
    return request;
  }

  void ExpectSameBits(const v1::PushResponse& response, std::size_t t) const {
    const std::size_t size = model_->spec().outputs();
    ASSERT_EQ(response.outcome_size(), static_cast<int>(kStreams));
    ASSERT_EQ(static_cast<std::size_t>(response.forecast_size()), kStreams * size);
    for (std::size_t s = 0; s < kStreams; ++s) {
      ASSERT_EQ(response.outcome(static_cast<int>(s)), v1::OUTCOME_APPLIED);
      const std::span answered(response.forecast().data() + s * size, size);
      ASSERT_EQ(Bits(answered), Bits(forecasts_[s][t])) << "stream " << s << ", reading " << t;
    }
  }

  TemporaryFolder folder_;
  std::unique_ptr<RunningServer> server_;
  std::shared_ptr<const Model> model_;
  std::vector<std::vector<float>> walks_;
  std::array<std::vector<std::vector<float>>, kStreams> forecasts_;  // of each reading, computed offline
};

TEST_F(ParityTest, UnaryPushAnswersTheEnginesBits) {
  const auto stub = server_->Stub();
  for (std::size_t t = 0; t < kReadings; ++t) {
    grpc::ClientContext context;
    v1::PushResponse response;
    const grpc::Status status = stub->Push(&context, Tick(t), &response);
    ASSERT_TRUE(status.ok()) << status.error_message();
    ExpectSameBits(response, t);
  }
}

TEST_F(ParityTest, AStreamOfMessagesAnswersTheEnginesBits) {
  const auto stub = server_->Stub();
  grpc::ClientContext context;
  const auto stream = stub->Stream(&context);
  for (std::size_t t = 0; t < kReadings; ++t) {
    v1::PushRequest request = Tick(t);
    for (std::uint32_t s = 0; s < kStreams; ++s) request.add_handle(s);
    if (t > 0) request.clear_stream_id();
    ASSERT_TRUE(stream->Write(request));
    v1::PushResponse response;
    ASSERT_TRUE(stream->Read(&response));
    ExpectSameBits(response, t);
  }
  stream->WritesDone();
  EXPECT_TRUE(stream->Finish().ok());
}

TEST_F(ParityTest, ManyReadingsOfAStreamInOneMessageAreTheSameAsOneByOne) {
  v1::PushRequest request;
  for (std::size_t t = 0; t < kReadings; ++t) {
    for (std::size_t s = 0; s < kStreams; ++s) {
      const v1::PushRequest tick = Tick(t);
      request.add_stream_id(tick.stream_id(static_cast<int>(s)));
      request.add_timestamp(tick.timestamp(static_cast<int>(s)));
      for (std::size_t f = 0; f < kFeatures; ++f) request.add_value(walks_[s][t * kFeatures + f]);
    }
  }
  grpc::ClientContext context;
  v1::PushResponse response;
  const grpc::Status status = server_->Stub()->Push(&context, request, &response);
  ASSERT_TRUE(status.ok()) << status.error_message();
  const std::size_t size = model_->spec().outputs();
  for (std::size_t t = 0; t < kReadings; ++t) {
    v1::PushResponse of_tick;
    for (std::size_t i = t * kStreams; i < (t + 1) * kStreams; ++i) {
      of_tick.add_outcome(response.outcome(static_cast<int>(i)));
      const float* forecast = response.forecast().data() + i * size;
      of_tick.mutable_forecast()->Add(forecast, forecast + size);
    }
    ExpectSameBits(of_tick, t);
  }
}

}  // namespace
}  // namespace tidegate
