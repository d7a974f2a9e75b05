#include "server/rpc/health_call.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "server/health_check.h"
#include "tests/server/rpc/rpc_fixture.h"

namespace tidegate {
namespace {

using grpc::health::v1::Health;
using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;
using testing::HasSubstr;

class HealthCallTest : public RpcFixture {
 protected:
  static HealthCheckRequest Of(const std::string& service) {
    HealthCheckRequest request;
    request.set_service(service);
    return request;
  }
  grpc::Status Check(const std::string& service, HealthCheckResponse& response) {
    grpc::ClientContext context;
    return Health::NewStub(NewChannel())->Check(&context, Of(service), &response);
  }
};

TEST_F(HealthCallTest, CheckKnowsTheServerAndItsServiceAndNoOther) {
  HealthCheckResponse response;
  for (const char* service : {"", "tidegate.v1.Forecaster"}) {
    ASSERT_TRUE(Check(service, response).ok());
    EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  }
  EXPECT_EQ(Check("tidegate.v1.Nothing", response).error_code(), grpc::StatusCode::NOT_FOUND);
}

TEST_F(HealthCallTest, ServingEndsWhenTheShutdownIsAnnouncedAndCallsAreStillServed) {
  const std::string address = server_->address();
  EXPECT_TRUE(CheckHealth(address, absl::Seconds(10)).ok());
  server_->AnnounceShutdown();
  EXPECT_THAT(CheckHealth(address, absl::Seconds(10)).message(), HasSubstr("is not serving"));
  v1::PushResponse response;
  EXPECT_TRUE(Push(Readings({"a"}, 1), response).ok());
  EXPECT_TRUE(server_->Shutdown(absl::Seconds(10)).ok());
  EXPECT_THAT(CheckHealth(address, absl::Seconds(10)).message(), HasSubstr("no health from"));
}

TEST_F(HealthCallTest, WatchTellsTheStatusAndEachChange) {
  const auto stub = Health::NewStub(NewChannel());
  grpc::ClientContext context, unknown_context;
  const auto watch = stub->Watch(&context, Of("tidegate.v1.Forecaster"));
  const auto unknown = stub->Watch(&unknown_context, Of("nothing"));
  HealthCheckResponse response;
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVING);
  ASSERT_TRUE(unknown->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::SERVICE_UNKNOWN);
  server_->AnnounceShutdown();
  ASSERT_TRUE(watch->Read(&response));
  EXPECT_EQ(response.status(), HealthCheckResponse::NOT_SERVING);
  EXPECT_TRUE(server_->Shutdown(absl::Seconds(10)).ok());
  EXPECT_FALSE(watch->Read(&response));
  EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::UNAVAILABLE);
  EXPECT_FALSE(unknown->Read(&response));
}

TEST_F(HealthCallTest, AWatcherThatLeavesIsForgotten) {
  const auto stub = Health::NewStub(NewChannel());
  for (int i = 0; i < 10; ++i) {
    grpc::ClientContext context;
    const auto watch = stub->Watch(&context, Of(""));
    HealthCheckResponse response;
    ASSERT_TRUE(watch->Read(&response));
    context.TryCancel();
    EXPECT_EQ(watch->Finish().error_code(), grpc::StatusCode::CANCELLED);
  }
  EXPECT_TRUE(server_->Shutdown(absl::InfiniteDuration()).ok());  // would wait for a call that is still open
}

}  // namespace
}  // namespace tidegate
