// TLS and mutual TLS, and certificates that change while the server serves.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "proto/tls/client_credentials.h"
#include "proto/tls/server_credentials.h"
#include "tests/server/rpc/rpc_fixture.h"
#include "tests/support/certificates.h"

namespace tidegate {
namespace {

class TlsTest : public RpcFixture {
 protected:
  TlsTest() {
    std::filesystem::create_directories(certificates_);
    one_.Issue(server_files_.certificate, server_files_.key);
    one_.Issue(File("client.pem"), File("client.key"));
    two_.Issue(File("stranger.pem"), File("stranger.key"));
    ReplaceFile(File("one.pem"), one_.certificate());
    ReplaceFile(File("two.pem"), two_.certificate());
  }
  ~TlsTest() override { std::filesystem::remove_all(certificates_); }

  RpcServer::Options ServerOptions() const override {
    RpcServer::Options options = RpcFixture::ServerOptions();
    const auto credentials = MakeServerCredentials(server_files_);
    EXPECT_TRUE(credentials.ok()) << credentials.status();
    options.credentials = *credentials;
    return options;
  }

  std::string File(const char* name) const { return certificates_ / name; }

  // The code of a call on a connection of its own.
  grpc::StatusCode Call(const TlsFiles& files) const {
    const auto credentials = MakeClientCredentials(files);
    EXPECT_TRUE(credentials.ok()) << credentials.status();
    grpc::ChannelArguments arguments;
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    const auto stub =
        v1::Forecaster::NewStub(grpc::CreateCustomChannel(server_->address(), *credentials, arguments));
    grpc::ClientContext context;
    v1::PushResponse response;
    return stub->Push(&context, Readings({"a"}, 1), &response).error_code();
  }
  grpc::StatusCode CallTrusting(const char* authority) const {
    return Call({.authorities = File(authority)});
  }

  const std::filesystem::path certificates_ =
      std::filesystem::path(testing::TempDir()) /
      (std::string("tls_") + testing::UnitTest::GetInstance()->current_test_info()->name());
  TestAuthority one_{"one"}, two_{"two"};
  TlsFiles server_files_ = {.certificate = File("server.pem"), .key = File("server.key")};
};

TEST_F(TlsTest, AClientThatTrustsTheAuthorityIsServedAndNoOther) {
  EXPECT_EQ(CallTrusting("one.pem"), grpc::StatusCode::OK);
  EXPECT_EQ(CallTrusting("two.pem"), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(Call({}), grpc::StatusCode::UNAVAILABLE) << "without TLS";
}

TEST_F(TlsTest, NewConnectionsSeeTheNewCertificateAndOldOnesStay) {
  const auto old_credentials = MakeClientCredentials({.authorities = File("one.pem")});
  const auto old = v1::Forecaster::NewStub(grpc::CreateChannel(server_->address(), *old_credentials));
  const auto push = [&] {
    grpc::ClientContext context;
    v1::PushResponse response;
    return old->Push(&context, Readings({"a"}, 1), &response).error_code();
  };
  EXPECT_EQ(push(), grpc::StatusCode::OK);
  two_.Issue(server_files_.certificate, server_files_.key);
  EXPECT_EQ(CallTrusting("two.pem"), grpc::StatusCode::OK);
  EXPECT_EQ(CallTrusting("one.pem"), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(push(), grpc::StatusCode::OK) << "a connection from before";
}

TEST_F(TlsTest, WhatCannotBeUsedLeavesTheOldCertificateUntilItCan) {
  two_.Issue(server_files_.certificate, File("not-yet.key"));  // half of a rotation
  EXPECT_EQ(CallTrusting("one.pem"), grpc::StatusCode::OK);
  std::filesystem::remove(server_files_.key);
  EXPECT_EQ(CallTrusting("one.pem"), grpc::StatusCode::OK);
  std::filesystem::rename(File("not-yet.key"), server_files_.key);
  EXPECT_EQ(CallTrusting("two.pem"), grpc::StatusCode::OK);
}

class MutualTlsTest : public TlsTest {
 protected:
  void SetUp() override {
    server_files_.authorities = File("one.pem");
    server_files_.authorities_flag = "--tls-client-ca";
    TlsTest::SetUp();
  }
  grpc::StatusCode CallAs(const char* certificate, const char* key) const {
    return Call({.certificate = File(certificate), .key = File(key), .authorities = File("one.pem")});
  }
};

TEST_F(MutualTlsTest, OnlyClientsWithACertificateOfTheAuthorityAreServed) {
  EXPECT_EQ(CallAs("client.pem", "client.key"), grpc::StatusCode::OK);
  EXPECT_EQ(CallTrusting("one.pem"), grpc::StatusCode::UNAVAILABLE) << "without a certificate";
  EXPECT_EQ(CallAs("stranger.pem", "stranger.key"), grpc::StatusCode::UNAVAILABLE);
}

TEST_F(MutualTlsTest, TheAuthorityOfClientsMayChangeToo) {
  EXPECT_EQ(CallAs("stranger.pem", "stranger.key"), grpc::StatusCode::UNAVAILABLE);
  ReplaceFile(server_files_.authorities, one_.certificate() + two_.certificate());
  EXPECT_EQ(CallAs("stranger.pem", "stranger.key"), grpc::StatusCode::OK);
  EXPECT_EQ(CallAs("client.pem", "client.key"), grpc::StatusCode::OK);
}

}  // namespace
}  // namespace tidegate
