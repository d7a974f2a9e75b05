#include "server/rpc/tokens.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

namespace tidegate {
namespace {

using testing::HasSubstr;
using testing::Not;

// printf %s TOKEN | sha256sum, for the tokens "abc" (FIPS 180-2) and "" .
constexpr char kAbc[] = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";
constexpr char kEmpty[] = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

Tokens::Scopes Bit(Scope scope) { return static_cast<Tokens::Scopes>(1 << static_cast<int>(scope)); }

std::string Refusal(const std::string& text) { return std::string(Tokens::Parse(text).status().message()); }

TEST(TokensTest, ATokenIsFoundByItsDigestWithItsScopes) {
  const auto tokens = Tokens::Parse(std::string("# readings come from here\n\npush,read  ") + kAbc +
                                    "\tgateway # Berlin\r\n");
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  EXPECT_EQ(tokens->size(), 1u);
  EXPECT_EQ(tokens->Find("abc"), Bit(Scope::kPush) | Bit(Scope::kRead));
  for (const char* unknown : {"", "ab", "abcd", "Abc", kAbc}) EXPECT_EQ(tokens->Find(unknown), std::nullopt);
}

TEST(TokensTest, AdminIsAllScopesAndPushNoOther) {
  EXPECT_EQ(Tokens::Parse(std::string("admin ") + kAbc)->Find("abc"),
            Bit(Scope::kPush) | Bit(Scope::kRead) | Bit(Scope::kAdmin));
  EXPECT_EQ(Tokens::Parse(std::string("push ") + kAbc)->Find("abc"), Bit(Scope::kPush));
}

TEST(TokensTest, ATokenOnTwoLinesHasTheScopesOfBothAndHexMayBeUpperCase) {
  std::string upper = kAbc;
  for (char& c : upper) c = static_cast<char>(std::toupper(c));
  const auto tokens =
      Tokens::Parse(std::string("read ") + kAbc + "\npush " + kEmpty + "\npush " + upper + "\n");
  ASSERT_TRUE(tokens.ok()) << tokens.status();
  EXPECT_EQ(tokens->Find("abc"), Bit(Scope::kPush) | Bit(Scope::kRead));
}

TEST(TokensTest, WhatIsNoTokenIsNamedByItsLineAndNotRepeated) {
  const std::string good = std::string("read ") + kAbc + "\n";
  EXPECT_THAT(Refusal(good + "write " + kAbc), HasSubstr("line 2: the first word is not a list of scopes"));
  EXPECT_THAT(Refusal(good + "\nread,, " + kAbc), HasSubstr("line 3"));
  EXPECT_THAT(Refusal("read secret"), HasSubstr("line 1: the second word is not a SHA-256"));
  EXPECT_THAT(Refusal("read secret"), Not(HasSubstr("secret")));
  EXPECT_THAT(Refusal("read"), HasSubstr("64 hex digits"));
  EXPECT_THAT(Refusal(std::string("read z") + (kAbc + 1)), HasSubstr("64 hex digits"));
  EXPECT_THAT(Refusal(std::string("read ") + kAbc + " two names"), HasSubstr("more than three words"));
  EXPECT_THAT(Refusal("# nothing\n"), HasSubstr("no tokens"));
}

}  // namespace
}  // namespace tidegate
