#include "server/rpc/authentication.h"

#include <gmock/gmock.h>
#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>
#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <array>
#include <memory>
#include <set>
#include <string>

#include "absl/strings/escaping.h"
#include "compat/health.grpc.pb.h"
#include "tests/server/rpc/rpc_fixture.h"
#include "tests/support/certificates.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

std::string Line(const std::string& scopes, const std::string& token) {
  std::array<unsigned char, 32> digest;
  SHA256(reinterpret_cast<const unsigned char*>(token.data()), token.size(), digest.data());
  return scopes + " " +
         absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), digest.size()}) + "\n";
}

class AuthenticationTest : public RpcFixture {
 protected:
  AuthenticationTest() { Write(Line("push", "P") + Line("read", "R") + Line("admin", "A")); }
  ~AuthenticationTest() override { std::filesystem::remove(file_); }

  void Write(const std::string& text) const { ReplaceFile(file_, text); }
  RpcServer::Options ServerOptions() const override {
    RpcServer::Options options = RpcFixture::ServerOptions();
    options.authentication = authentication_.get();
    return options;
  }
  void SetUp() override {
    auto loaded = Authentication::Load(file_, now_);
    ASSERT_TRUE(loaded.ok()) << loaded.status();
    authentication_ = *std::move(loaded);
    RpcFixture::SetUp();
    generic_ = std::make_unique<grpc::GenericStub>(NewChannel());
  }

  absl::StatusCode CheckAt(absl::Time now, const std::string& token) {
    const std::string header = "Bearer " + token;
    return authentication_->Check(Method::kPush, {{"authorization", header}}, now).code();
  }

  // The code of a unary call with this token.
  template <typename Call, typename Request>
  grpc::StatusCode Code(Call call, const Request& request, const std::string& token) {
    grpc::ClientContext context;
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
    return call(&context, request).error_code();
  }
  grpc::StatusCode PushAs(const std::string& token) {
    const auto push = [this](auto* context, const auto& request) {
      v1::PushResponse response;
      return stub_->Push(context, request, &response);
    };
    return Code(push, Readings({"a"}, 1), token);
  }
  grpc::StatusCode ListAs(const std::string& token) {
    const auto list = [this](auto* context, const auto& request) {
      v1::ListStreamsResponse response;
      return stub_->ListStreams(context, request, &response);
    };
    return Code(list, v1::ListStreamsRequest(), token);
  }
  // Of any method, with a request that asks for nothing there is.
  grpc::StatusCode CodeOf(const std::string& method, const std::string& token) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer " + token);
    v1::SubscribeRequest request;
    if (method == "Subscribe") request.set_model("absent");  // what it subscribed to would not end
    const grpc::Slice bytes(request.SerializeAsString());
    grpc::CompletionQueue queue;
    const auto call = generic_->PrepareUnaryCall(&context, "/tidegate.v1.Forecaster/" + method,
                                                 grpc::ByteBuffer(&bytes, 1), &queue);
    grpc::ByteBuffer response;
    grpc::Status status;
    void* tag = nullptr;
    bool ok = false;
    call->StartCall();
    call->Finish(&response, &status, this);
    EXPECT_TRUE(queue.Next(&tag, &ok) && ok);
    return status.error_code();
  }
  grpc::Status StreamAs(const std::string& token) {
    grpc::ClientContext context;
    if (!token.empty()) context.AddMetadata("authorization", "Bearer " + token);
    const auto stream = stub_->Stream(&context);
    v1::PushResponse response;
    stream->Write(Readings({"a"}, 1));
    stream->WritesDone();
    while (stream->Read(&response)) {
    }
    return stream->Finish();
  }

  const absl::Time now_ = absl::Now();
  const std::string file_ =
      testing::TempDir() + "/tokens_" + testing::UnitTest::GetInstance()->current_test_info()->name();
  std::unique_ptr<Authentication> authentication_;
  std::unique_ptr<grpc::GenericStub> generic_;
};

TEST_F(AuthenticationTest, EachScopeOpensItsMethodsAndAdminAll) {
  const std::set<std::string> push = {"Push", "Stream"};
  const std::set<std::string> read = {"Forecast",     "GetCursor",  "GetStream", "ListStreams",
                                      "ExportStream", "ListModels", "GetModel",  "Subscribe"};
  const std::set<std::string> admin = {"ResetStream", "DeleteStream", "ForkStream",      "ImportStream",
                                       "LoadModel",   "UnloadModel",  "SetDefaultModel", "Backup"};
  constexpr auto kUnauthenticated = grpc::StatusCode::UNAUTHENTICATED;
  const auto denied = [&](const std::string& method, const char* token) {
    const grpc::StatusCode code = CodeOf(method, token);
    EXPECT_NE(code, kUnauthenticated) << method << " " << token;
    EXPECT_NE(code, grpc::StatusCode::UNIMPLEMENTED) << method;
    return code == grpc::StatusCode::PERMISSION_DENIED;
  };
  const auto* const service =
      google::protobuf::DescriptorPool::generated_pool()->FindServiceByName("tidegate.v1.Forecaster");
  ASSERT_EQ(static_cast<std::size_t>(service->method_count()), push.size() + read.size() + admin.size());
  for (int i = 0; i < service->method_count(); ++i) {
    const std::string& method = service->method(i)->name();
    ASSERT_EQ(push.count(method) + read.count(method) + admin.count(method), 1u) << method;
    EXPECT_EQ(denied(method, "P"), !push.contains(method)) << method;
    EXPECT_EQ(denied(method, "R"), !read.contains(method)) << method;
    EXPECT_FALSE(denied(method, "A")) << method;
    EXPECT_EQ(CodeOf(method, "Q"), kUnauthenticated) << method;
  }
  EXPECT_EQ(metrics_.request(Method::kStream, 7).value(), 1u);
}

TEST_F(AuthenticationTest, WithoutAKnownTokenNothingIsDone) {
  for (const char* token : {"", "Q", "PP"}) {
    EXPECT_EQ(PushAs(token), grpc::StatusCode::UNAUTHENTICATED) << token;
    EXPECT_EQ(ListAs(token), grpc::StatusCode::UNAUTHENTICATED) << token;
    EXPECT_EQ(StreamAs(token).error_code(), grpc::StatusCode::UNAUTHENTICATED) << token;
  }
  EXPECT_EQ(Applied(), 0u);
}

TEST_F(AuthenticationTest, TheErrorSaysWhichScopeIsNeeded) {
  EXPECT_THAT(StreamAs("R").error_message(), HasSubstr("Stream needs a token with the scope push"));
  EXPECT_THAT(StreamAs("").error_message(), HasSubstr("authorization: Bearer TOKEN"));
}

TEST_F(AuthenticationTest, HealthNeedsNoToken) {
  grpc::ClientContext context;
  grpc::health::v1::HealthCheckResponse response;
  EXPECT_TRUE(grpc::health::v1::Health::NewStub(NewChannel())->Check(&context, {}, &response).ok());
}

TEST_F(AuthenticationTest, HeadersThatAreNotOneBearerTokenAreRefused) {
  const auto check = [&](const Authentication::Metadata& metadata) {
    return authentication_->Check(Method::kPush, metadata, now_).code();
  };
  EXPECT_EQ(check({{"authorization", "bearer P"}}), absl::StatusCode::kOk);
  for (const char* header : {"P", "Basic P", "Bearer", "Bearer ", "Bearer  P", "Bearer P ", "BearerP"}) {
    EXPECT_EQ(check({{"authorization", header}}), absl::StatusCode::kUnauthenticated) << header;
  }
  EXPECT_EQ(check({{"authorization", "Bearer P"}, {"authorization", "Bearer A"}}),
            absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(check({}), absl::StatusCode::kUnauthenticated);
}

TEST_F(AuthenticationTest, AChangedFileHoldsAfterASecond) {
  Write(Line("push", "new"));
  EXPECT_EQ(CheckAt(now_ + absl::Milliseconds(999), "P"), absl::StatusCode::kOk);
  EXPECT_EQ(CheckAt(now_ + absl::Seconds(1), "P"), absl::StatusCode::kUnauthenticated);
  EXPECT_EQ(CheckAt(now_ + absl::Seconds(1), "new"), absl::StatusCode::kOk);
  Write(Line("push", "P"));
  EXPECT_EQ(CheckAt(now_ - absl::Hours(1), "P"), absl::StatusCode::kOk) << "the clock was set back";
}

TEST_F(AuthenticationTest, AFileThatCannotBeUsedLeavesTheTokensAsTheyWere) {
  Write("");
  EXPECT_EQ(CheckAt(now_ + absl::Seconds(1), "P"), absl::StatusCode::kOk);
  Write("push half-a-li");
  EXPECT_EQ(CheckAt(now_ + absl::Seconds(2), "P"), absl::StatusCode::kOk);
  std::filesystem::remove(file_);
  EXPECT_EQ(CheckAt(now_ + absl::Seconds(3), "P"), absl::StatusCode::kOk);
  Write(Line("push", "new"));
  EXPECT_EQ(CheckAt(now_ + absl::Seconds(4), "P"), absl::StatusCode::kUnauthenticated);
}

TEST_F(AuthenticationTest, AFileThatCannotBeUsedIsRefusedAtTheStart) {
  Write("push x\n");
  EXPECT_THAT(std::string(Authentication::Load(file_, now_).status().message()),
              HasSubstr("--tokens: " + file_ + ": line 1: the second word"));
  EXPECT_THAT(std::string(Authentication::Load("/no/such", now_).status().message()),
              HasSubstr("--tokens: /no/such: cannot be read"));
}

}  // namespace
}  // namespace tidegate
