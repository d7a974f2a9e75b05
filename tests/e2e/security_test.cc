// TLS and tokens with the real executables: the server, its health check and the command line tool.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <string>

#include "tests/e2e/executables.h"
#include "tests/support/certificates.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

class SecurityTest : public testing::Test {
 protected:
  SecurityTest() {
    WriteTinyModel(folder_.path() / "models");
    std::ofstream(File("readings.csv")) << "time,a,b\n1,20,50\n2,21,51\n3,22,52\n";
    authority_.Issue(File("server.pem"), File("server.key"));
    authority_.Issue(File("client.pem"), File("client.key"));
    ReplaceFile(File("ca.pem"), authority_.certificate());
  }

  std::string File(const char* name) const { return folder_.path() / name; }

  static Process::Result Health(const RunningServer& server, std::vector<std::string> more) {
    more.insert(more.begin(), {"--health", server.grpc()});
    return RunServer(std::move(more));
  }
  Process::Result Push(const RunningServer& server, std::vector<std::string> more) const {
    more.insert(more.begin(), {"push", File("readings.csv"), "--server", server.grpc()});
    return RunTidegate(std::move(more));
  }

  TemporaryFolder folder_;
  TestAuthority authority_{"authority"};
};

TEST_F(SecurityTest, WithMutualTlsClientsNeedACertificate) {
  RunningServer server(folder_.path() / "models", {"--tls-cert", File("server.pem"), "--tls-key",
                                                   File("server.key"), "--tls-client-ca", File("ca.pem")});
  const std::vector<std::string> client = {"--tls-ca",         File("ca.pem"), "--tls-cert",
                                           File("client.pem"), "--tls-key",    File("client.key")};
  const Process::Result pushed = Push(server, client);
  EXPECT_EQ(pushed.exit_code, 0) << pushed.err;
  EXPECT_EQ(Health(server, client).exit_code, 0);
  EXPECT_NE(Health(server, {"--tls-ca", File("ca.pem")}).exit_code, 0);
  EXPECT_NE(Health(server, {}).exit_code, 0);
  EXPECT_EQ(server.Stop().exit_code, 0);
}

TEST_F(SecurityTest, WithTokensClientsNeedOneAndHealthDoesNot) {
  // Of the tokens "push-token" and "read-token".
  std::ofstream(File("tokens"))
      << "push 13550d36c32499b89fb2a0272e2672bde669c4735fdd7a75f80021c37592ce0f gateway\n"
         "read 0328587016f9e316b9c31c94f944a2c453e1494a564062b5eab68039c75b58bf\n";
  std::ofstream(File("push-token")) << "push-token\n";
  std::ofstream(File("read-token")) << "read-token\n";
  RunningServer server(folder_.path() / "models", {"--tokens", File("tokens")});
  EXPECT_THAT(Push(server, {}).err, HasSubstr("TOKEN_MISSING"));
  EXPECT_THAT(Push(server, {"--token-file", File("read-token")}).err,
              HasSubstr("needs a token with the scope push"));
  const Process::Result pushed = Push(server, {"--token-file", File("push-token")});
  EXPECT_EQ(pushed.exit_code, 0) << pushed.err;
  EXPECT_THAT(Push(server, {"--token-file", File("none")}).err, HasSubstr("--token-file"));
  EXPECT_EQ(Health(server, {}).exit_code, 0);
  EXPECT_EQ(server.Stop().exit_code, 0);
}

TEST_F(SecurityTest, TokensWithoutTlsOnAnOpenAddressAreWarnedOf) {
  std::ofstream(File("tokens")) << "push " << std::string(64, 'a') << "\n";
  const auto log = [&](const std::string& listen) {  // none can be listened on, so that the server ends
    return RunServer({"--models", folder_.path() / "models", "--metrics-listen", "127.0.0.1:0", "--tokens",
                      File("tokens"), "--listen", listen})
        .err;
  };
  EXPECT_THAT(log("127.0.0.1:seven"), testing::Not(HasSubstr("without TLS")));
  EXPECT_THAT(log("0.0.0.0:seven"), HasSubstr("tokens come to 0.0.0.0:seven without TLS"));
}

TEST_F(SecurityTest, AFileThatCannotBeUsedIsNamedAtTheStart) {
  const auto start = [&](const std::string& key) {
    return RunServer({"--models", folder_.path() / "models", "--listen", "127.0.0.1:0", "--metrics-listen",
                      "127.0.0.1:0", "--tls-cert", File("server.pem"), "--tls-key", key});
  };
  EXPECT_THAT(start("/no/such.key").err, HasSubstr("--tls-key: /no/such.key: cannot be read"));
  EXPECT_THAT(start(File("client.key")).err, HasSubstr("is not the key of the first certificate"));
  EXPECT_THAT(RunTidegate({"push", File("readings.csv"), "--tls-ca", "/no/ca.pem"}).err,
              HasSubstr("--tls-ca: /no/ca.pem"));
}

}  // namespace
}  // namespace tidegate
