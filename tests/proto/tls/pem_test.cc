#include "proto/tls/pem.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "proto/tls/client_credentials.h"
#include "proto/tls/server_credentials.h"
#include "tests/support/certificates.h"

namespace tidegate {
namespace {

using testing::AllOf;
using testing::HasSubstr;

class PemTest : public testing::Test {
 protected:
  PemTest() {
    std::filesystem::create_directories(folder_);
    authority_.Issue(files_.certificate, files_.key);
    ReplaceFile(files_.authorities, authority_.certificate());
  }
  ~PemTest() override { std::filesystem::remove_all(folder_); }

  // Why a server refuses the files.
  std::string Refusal() const { return std::string(MakeServerCredentials(files_).status().message()); }

  const std::filesystem::path folder_ =
      std::filesystem::path(testing::TempDir()) /
      (std::string("pem_") + testing::UnitTest::GetInstance()->current_test_info()->name());
  TlsFiles files_ = {
      .certificate = folder_ / "cert.pem", .key = folder_ / "key.pem", .authorities = folder_ / "ca.pem"};
  TestAuthority authority_{"one"};
};

TEST_F(PemTest, WhatFitsIsTaken) {
  EXPECT_EQ(Refusal(), "");
  ReplaceFile(files_.certificate, *ReadFlagFile("--tls-cert", files_.certificate) + authority_.certificate());
  EXPECT_EQ(Refusal(), "") << "a chain";
  EXPECT_TRUE(MakeClientCredentials(files_).ok());
  EXPECT_TRUE(MakeClientCredentials({}).ok());
}

TEST_F(PemTest, AFileThatCannotBeReadIsNamedWithItsFlag) {
  files_.certificate = "/no/such.pem";
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("--tls-cert: /no/such.pem"), HasSubstr("No such file")));
  files_.certificate = folder_;
  EXPECT_THAT(Refusal(), HasSubstr("--tls-cert"));
  files_.certificate = files_.key;
  files_.authorities = "/no/ca.pem";
  files_.authorities_flag = "--tls-client-ca";
  EXPECT_THAT(Refusal(), HasSubstr("--tls-client-ca: /no/ca.pem"));
}

TEST_F(PemTest, WhatIsNoCertificateOrKeyIsNamed) {
  ReplaceFile(files_.certificate, "hello");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("--tls-cert"), HasSubstr("cert.pem"), HasSubstr("no certificates")));
  std::string half = authority_.certificate();
  ReplaceFile(files_.certificate, half.substr(0, half.size() / 2));
  EXPECT_THAT(Refusal(), HasSubstr("no certificates"));
  authority_.Issue(files_.certificate, files_.key);
  ReplaceFile(files_.authorities, authority_.certificate() + half.substr(0, half.size() / 2));
  EXPECT_THAT(Refusal(), HasSubstr("ca.pem"));
  ReplaceFile(files_.authorities, authority_.certificate());
  ReplaceFile(files_.key, "hello");
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("--tls-key"), HasSubstr("key.pem")));
}

TEST_F(PemTest, AKeyOfAnotherCertificateIsRefused) {
  authority_.Issue(folder_ / "other.pem", files_.key);
  EXPECT_THAT(Refusal(), AllOf(HasSubstr("--tls-key"), HasSubstr("is not the key")));
}

TEST_F(PemTest, FlagsThatNeedEachOtherSaySo) {
  files_.key = "";
  EXPECT_THAT(Refusal(), HasSubstr("need each other"));
  files_.certificate = "";
  EXPECT_THAT(Refusal(), HasSubstr("needs --tls-cert and --tls-key"));
  authority_.Issue(folder_ / "a", folder_ / "b");
  const auto client = MakeClientCredentials({.certificate = folder_ / "a", .key = folder_ / "b"});
  EXPECT_THAT(std::string(client.status().message()), HasSubstr("--tls-ca"));
}

}  // namespace
}  // namespace tidegate
