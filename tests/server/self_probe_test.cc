#include "server/self_probe.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <future>
#include <optional>

#include "absl/strings/str_cat.h"
#include "proto/tls/server_credentials.h"
#include "tests/server/rpc/rpc_fixture.h"
#include "tests/support/certificates.h"

namespace tidegate {
namespace {

// Listens on a free port of the loopback and never accepts, as gRPC once it is deaf.
class DeafListener {
 public:
  DeafListener() : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const any = reinterpret_cast<sockaddr*>(&address);
    EXPECT_EQ(bind(fd_, any, size), 0);
    EXPECT_EQ(listen(fd_, 16), 0);
    EXPECT_EQ(getsockname(fd_, any, &size), 0);
    address_ = absl::StrCat("127.0.0.1:", ntohs(address.sin_port));
  }
  ~DeafListener() { close(fd_); }
  const std::string& address() const { return address_; }

 private:
  int fd_;
  std::string address_;
};

using SelfProbeTest = RpcFixture;

TEST_F(SelfProbeTest, AServerThatServesAcceptsConnections) {
  for (int i = 0; i < 100; ++i) ASSERT_EQ(AcceptsConnections(server_->address(), absl::Seconds(10)), true);
  EXPECT_EQ(AcceptsConnections(absl::StrCat("0.0.0.0:", server_->port()), absl::Seconds(10)), true);
  EXPECT_EQ(AcceptsConnections(absl::StrCat("[::]:", server_->port()), absl::Seconds(10)), true)
      << "by IPv4, whether or not there is IPv6";
  EXPECT_EQ(AcceptsConnections(absl::StrCat("localhost:", server_->port()), absl::Seconds(10)), true);
}

// With TLS, also where clients must have a certificate.
class TlsSelfProbeTest : public RpcFixture, public testing::WithParamInterface<bool> {
 protected:
  TlsSelfProbeTest() {
    std::filesystem::create_directories(certificates_);
    authority_.Issue(files_.certificate, files_.key);
    ReplaceFile(certificates_ / "ca.pem", authority_.certificate());
    if (GetParam()) files_.authorities = certificates_ / "ca.pem";
  }
  ~TlsSelfProbeTest() override { std::filesystem::remove_all(certificates_); }

  RpcServer::Options ServerOptions() const override {
    RpcServer::Options options = RpcFixture::ServerOptions();
    const auto credentials = MakeServerCredentials(files_);
    EXPECT_TRUE(credentials.ok()) << credentials.status();
    options.credentials = *credentials;
    return options;
  }

  const std::filesystem::path certificates_ = std::filesystem::path(testing::TempDir()) / "self_probe";
  TestAuthority authority_{"one"};
  TlsFiles files_ = {.certificate = certificates_ / "server.pem", .key = certificates_ / "server.key"};
};

TEST_P(TlsSelfProbeTest, AServerThatServesAcceptsConnections) {
  for (int i = 0; i < 20; ++i) ASSERT_EQ(AcceptsConnections(server_->address(), absl::Seconds(10)), true);
}

INSTANTIATE_TEST_SUITE_P(Mutual, TlsSelfProbeTest, testing::Bool());

TEST_F(SelfProbeTest, AfterItsEndAServerDoesNot) {
  const std::string address = server_->address();
  server_.reset();
  EXPECT_EQ(AcceptsConnections(address, absl::Seconds(10)), false);
}

TEST(SelfProbeDeafTest, WhatCannotBeAskedIsNotTakenForDeaf) {
  for (const char* address : {"nonsense", "unix:1", "host.invalid:1", "203.0.113.1:50051"})
    EXPECT_EQ(AcceptsConnections(address, absl::Seconds(1)), std::nullopt) << address;
}

TEST_F(SelfProbeTest, TheThreadsOfAServerThatServesAnswer) {
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(server_->Answers(absl::Seconds(30)));
}

TEST(SelfProbeDeafTest, APortThatOnlyTheKernelAnswersDoesNotAccept) {
  const DeafListener listener;
  EXPECT_EQ(AcceptsConnections(listener.address(), absl::Milliseconds(20)), false);
}

TEST(SelfProbeDeafTest, TooManyFailuresAreReportedOnce) {
  std::promise<void> deaf;  // a second call would throw
  std::atomic<int> attempts{0};
  const SelfProbe probe([&] { return ++attempts == 2; },  // one that succeeds begins the count anew
                        {.interval = absl::Milliseconds(1), .failures = 3},
                        [&] {
                          EXPECT_EQ(attempts, 5);
                          deaf.set_value();
                        });
  EXPECT_EQ(deaf.get_future().wait_for(std::chrono::seconds(30)), std::future_status::ready);
}

TEST(SelfProbeDeafTest, TheDestructorDoesNotWaitForTheNextAttempt) {
  const SelfProbe probe([] { return true; }, {.interval = absl::Hours(1)}, [] { FAIL(); });
}

}  // namespace
}  // namespace tidegate
