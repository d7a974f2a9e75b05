#include "server/options.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <variant>
#include <vector>

namespace tidegate {
namespace {

using testing::HasSubstr;

std::variant<Options, ExitCode> Parse(std::vector<const char*> arguments) {
  arguments.insert(arguments.begin(), "tidegate-server");
  return ParseOptions(static_cast<int>(arguments.size()), arguments.data());
}

// What is printed to stderr, after checking that the flags are refused.
std::string Refusal(std::vector<const char*> arguments) {
  testing::internal::CaptureStderr();
  const auto parsed = Parse(std::move(arguments));
  std::string printed = testing::internal::GetCapturedStderr();
  const auto* const exit = std::get_if<ExitCode>(&parsed);
  EXPECT_TRUE(exit != nullptr && exit->code != 0);
  return printed;
}

TEST(OptionsTest, EachFlagSetsItsOption) {
  const auto parsed = Parse({"--models",
                             "m",
                             "--listen",
                             "h:1",
                             "--metrics-listen",
                             "h:2",
                             "--default-model",
                             "hall",
                             "--max-streams",
                             "7",
                             "--max-future",
                             "1.5",
                             "--drain-delay",
                             "2",
                             "--log-level",
                             "warn",
                             "--log-format",
                             "json",
                             "--reflection",
                             "--tokens",
                             "t"});
  ASSERT_TRUE(std::holds_alternative<Options>(parsed));
  const auto& options = std::get<Options>(parsed);
  EXPECT_EQ(options.models, "m");
  EXPECT_EQ(options.listen, "h:1");
  EXPECT_EQ(options.metrics_listen, "h:2");
  EXPECT_EQ(options.default_model, "hall");
  EXPECT_EQ(options.max_streams, 7u);
  EXPECT_EQ(options.max_future, absl::Milliseconds(1500));
  EXPECT_EQ(options.drain_delay, absl::Seconds(2));
  EXPECT_EQ(options.log_level, "warn");
  EXPECT_EQ(options.log_format, "json");
  EXPECT_TRUE(options.reflection);
  EXPECT_EQ(options.tokens, "t");
}

TEST(OptionsTest, TlsFilesAreAServersOrWithHealthAClients) {
  auto parsed = Parse({"--models", "m", "--tls-cert", "c", "--tls-key", "k", "--tls-client-ca", "a"});
  ASSERT_TRUE(std::holds_alternative<Options>(parsed));
  EXPECT_EQ(std::get<Options>(parsed).tls.certificate, "c");
  EXPECT_EQ(std::get<Options>(parsed).tls.key, "k");
  EXPECT_EQ(std::get<Options>(parsed).tls.authorities, "a");
  EXPECT_EQ(std::get<Options>(parsed).tls.authorities_flag, "--tls-client-ca");
  parsed = Parse({"--health", "h:1", "--tls-ca", "a"});
  ASSERT_TRUE(std::holds_alternative<Options>(parsed));
  EXPECT_EQ(std::get<Options>(parsed).tls.authorities, "a");
  EXPECT_EQ(std::get<Options>(parsed).tls.authorities_flag, "--tls-ca");
}

TEST(OptionsTest, DefaultsListenOnThisMachineOnly) {
  const auto parsed = Parse({"--models", "m"});
  ASSERT_TRUE(std::holds_alternative<Options>(parsed));
  EXPECT_EQ(std::get<Options>(parsed).listen, "127.0.0.1:50051");
  EXPECT_EQ(std::get<Options>(parsed).metrics_listen, "127.0.0.1:9464");
  EXPECT_EQ(std::get<Options>(parsed).max_future, absl::Minutes(5));
}

TEST(OptionsTest, WhatIsWrongIsNamed) {
  EXPECT_THAT(Refusal({"--models", "m", "--modles", "n"}), HasSubstr("--modles"));
  EXPECT_THAT(Refusal({}), HasSubstr("--models is required"));
  EXPECT_THAT(Refusal({"--models", "m", "--max-streams", "0"}), HasSubstr("--max-streams"));
  EXPECT_THAT(Refusal({"--models", "m", "--max-future", "soon"}), HasSubstr("--max-future"));
  EXPECT_THAT(Refusal({"--models", "m", "--log-level", "loud"}), HasSubstr("--log-level"));
  EXPECT_THAT(Refusal({"--models", "m", "--tls-cert", "c"}), HasSubstr("--tls-key"));
  EXPECT_THAT(Refusal({"--models", "m", "--tls-client-ca", "c"}), HasSubstr("--tls-cert"));
  EXPECT_THAT(Refusal({"--models", "m", "--tls-ca", "c"}), HasSubstr("--health"));
  EXPECT_THAT(Refusal({"--models", "m", "--log-format", "xml"}), HasSubstr("--log-format"));
  EXPECT_THAT(Refusal({"--models", "m", "--health", "h:1"}), HasSubstr("--models"));
  EXPECT_THAT(Refusal({"--models", "m", "--data", "d", "--durability", "none", "--backups", "b"}),
              HasSubstr("--backups: there is no journal with --durability none"));
  EXPECT_THAT(Refusal({"--models", "m", "--data", "d", "--durability", "none", "--keep-journal"}),
              HasSubstr("--keep-journal: there is no journal"));
}

TEST(OptionsTest, HelpShowsEachDefaultAndUnitAndSucceeds) {
  testing::internal::CaptureStdout();
  const auto parsed = Parse({"--help"});
  const std::string help = testing::internal::GetCapturedStdout();
  ASSERT_TRUE(std::holds_alternative<ExitCode>(parsed));
  EXPECT_EQ(std::get<ExitCode>(parsed).code, 0);
  for (const char* part :
       {"--models DIR", "127.0.0.1:50051", "127.0.0.1:9464", "--max-streams COUNT", "1000000",
        "--max-future SECONDS", "300", "--drain-delay SECONDS", "--health HOST:PORT"}) {
    EXPECT_THAT(help, HasSubstr(part));
  }
}

TEST(OptionsTest, VersionIsPrinted) {
  testing::internal::CaptureStdout();
  const auto parsed = Parse({"--version"});
  EXPECT_THAT(testing::internal::GetCapturedStdout(), HasSubstr("tidegate-server "));
  ASSERT_TRUE(std::holds_alternative<ExitCode>(parsed));
  EXPECT_EQ(std::get<ExitCode>(parsed).code, 0);
}

}  // namespace
}  // namespace tidegate
