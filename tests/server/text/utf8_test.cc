#include "server/text/utf8.h"

#include <gtest/gtest.h>

#include "nlohmann/json.hpp"

namespace tidegate {
namespace {

constexpr char kBad[] = "\xef\xbf\xbd";

TEST(Utf8Test, TextThatIsUtf8StaysAsItIs) {
  for (const char* text :
       {"", "plain", "Grüße \xe6\xb5\xb7 \xf0\x9f\x8c\x8a", "\x01\n\"", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_EQ(ToUtf8(text), text);
  }
  EXPECT_EQ(ToUtf8({"a\0b", 3}), std::string("a\0b", 3));
}

TEST(Utf8Test, EachByteOfNoCharacterIsReplaced) {
  EXPECT_EQ(ToUtf8("a\xff"), std::string("a") + kBad);
  EXPECT_EQ(ToUtf8("\xc0\x80z"), std::string(kBad) + kBad + "z");                 // NUL in two bytes
  EXPECT_EQ(ToUtf8("\xed\xa0\x80"), std::string(kBad) + kBad + kBad);             // a surrogate
  EXPECT_EQ(ToUtf8("\xf4\x90\x80\x80"), std::string(kBad) + kBad + kBad + kBad);  // U+110000
  EXPECT_EQ(ToUtf8("\xe6\xb5"), std::string(kBad) + kBad);                        // cut short
}

// nlohmann/json throws at text that is not UTF-8.
TEST(Utf8Test, AnyFourBytesBecomeWhatASecondDecoderTakesAndGoodOnesStay) {
  std::uint32_t random = 1;
  int good = 0;
  for (int i = 0; i < 50'000; ++i) {
    std::string bytes;
    for (int b = 0; b < 4; ++b) {
      random = random * 1664525 + 1013904223;
      bytes.push_back(
          static_cast<char>(b == 0 || random >> 31 != 0 ? random >> 23 : 0x80 | (random >> 25 & 0x3f)));
    }
    const std::string made = ToUtf8(bytes);
    ASSERT_NO_THROW(static_cast<void>(nlohmann::json(made).dump())) << i;
    bool valid = true;
    try {
      static_cast<void>(nlohmann::json(bytes).dump());
    } catch (const nlohmann::json::exception&) {
      valid = false;
    }
    ASSERT_EQ(made == bytes, valid) << i;
    good += valid ? 1 : 0;
  }
  EXPECT_GT(good, 1000);
}

TEST(Utf8Test, TheCutIsBetweenCharacters) {
  EXPECT_EQ(ToUtf8("ab\xc3\xbc", 4), "ab\xc3\xbc");
  EXPECT_EQ(ToUtf8("ab\xc3\xbc", 3), "ab");
  EXPECT_EQ(ToUtf8("ab\xff", 4), "ab");
}

}  // namespace
}  // namespace tidegate
