// Server reflection, asked in its wire format: grpc.reflection.v1alpha is all that gRPC 1.51 speaks.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/server/rpc/rpc_fixture.h"
#include "tests/server/rpc/send_bytes.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

constexpr char kInfo[] = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
const std::string kListServices("\x3a\x00", 2);  // field 7, a string: empty

class ReflectionTest : public RpcFixture {
 protected:
  RpcServer::Options ServerOptions() const override {
    RpcServer::Options options = RpcFixture::ServerOptions();
    options.reflection = true;
    return options;
  }
};

TEST_F(ReflectionTest, TheServicesAreListedAndDescribed) {
  std::string answer;
  const grpc::Status listed = SendBytes(NewChannel(), kInfo, kListServices, &answer);
  ASSERT_TRUE(listed.ok()) << listed.error_message();
  EXPECT_THAT(answer, HasSubstr("tidegate.v1.Forecaster"));
  EXPECT_THAT(answer, HasSubstr("grpc.health.v1.Health"));

  const std::string symbol = "tidegate.v1.Forecaster";
  answer.clear();
  const std::string ask = std::string("\x22") + static_cast<char>(symbol.size()) + symbol;  // field 4
  ASSERT_TRUE(SendBytes(NewChannel(), kInfo, ask, &answer).ok());
  EXPECT_THAT(answer, HasSubstr("PushRequest")) << "the file's descriptor";
}

TEST_F(ReflectionTest, TheServerServesAndEndsAsWithoutIt) {
  v1::PushResponse response;
  EXPECT_TRUE(Push(Readings({"a"}, 1), response).ok());
  EXPECT_TRUE(server_->Shutdown(absl::InfiniteDuration()).ok());  // would wait for what is still open
}

using NoReflectionTest = RpcFixture;

TEST_F(NoReflectionTest, WithoutTheFlagThereIsNone) {
  EXPECT_EQ(SendBytes(NewChannel(), kInfo, kListServices).error_code(), grpc::StatusCode::UNIMPLEMENTED);
}

}  // namespace
}  // namespace tidegate
