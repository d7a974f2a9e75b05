#include "server/store/crc32c.h"

#include <string>

#include "gtest/gtest.h"

namespace tidegate {
namespace {

// The examples of RFC 3720, appendix B.4, and the check value of the catalogue of CRCs.
TEST(Crc32cTest, MatchesTheStandardsExamples) {
  std::string rising(32, '\0');
  for (std::size_t i = 0; i < rising.size(); ++i) rising[i] = static_cast<char>(i);
  for (const auto crc32c : {Crc32c, PortableCrc32c}) {
    EXPECT_EQ(crc32c(std::string(32, '\0'), 0), 0x8a9136aau);
    EXPECT_EQ(crc32c(std::string(32, '\xff'), 0), 0x62a8ab43u);
    EXPECT_EQ(crc32c(rising, 0), 0x46dd794eu);
    EXPECT_EQ(crc32c("123456789", 0), 0xe3069283u);
    EXPECT_EQ(crc32c("", 0), 0u);
  }
}

TEST(Crc32cTest, GoesOnWhereItWasInterrupted) {
  std::string text;
  for (int i = 0; i < 100; ++i) text.push_back(static_cast<char>(i * 37));
  for (std::size_t cut = 0; cut <= text.size(); ++cut) {
    const absl::string_view all = text;
    EXPECT_EQ(Crc32c(all.substr(cut), Crc32c(all.substr(0, cut))), PortableCrc32c(all)) << cut;
  }
}

}  // namespace
}  // namespace tidegate
