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
