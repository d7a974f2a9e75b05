#include "server/text/utf8.h"

namespace tidegate {
namespace {

constexpr absl::string_view kReplacement = "\xef\xbf\xbd";

// Bytes of the character that `text` begins with; 0: it begins with none. Table 3-7 of the Unicode Standard.
std::size_t CharacterBytes(absl::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char first = byte(0);
  if (first < 0x80) return 1;
  const std::size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || text.size() < n) return 0;
  for (std::size_t i = 1; i < n; ++i) {
    if (byte(i) < 0x80 || byte(i) > 0xbf) return 0;
  }
  if (first == 0xe0 && byte(1) < 0xa0) return 0;  // longer than need be
  if (first == 0xf0 && byte(1) < 0x90) return 0;
  if (first == 0xed && byte(1) > 0x9f) return 0;  // a surrogate
  if (first == 0xf4 && byte(1) > 0x8f) return 0;  // beyond U+10FFFF
  return n;
}

}  // namespace

std::string ToUtf8(absl::string_view text, std::size_t most_bytes) {
  std::string out;
  while (!text.empty()) {
    const std::size_t n = CharacterBytes(text);
    const absl::string_view character = n == 0 ? kReplacement : text.substr(0, n);
    if (out.size() + character.size() > most_bytes) break;
    out.append(character.data(), character.size());
    text.remove_prefix(n == 0 ? 1 : n);
  }
  return out;
}

}  // namespace tidegate
