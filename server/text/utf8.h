#pragma once

#include <cstddef>
#include <limits>
#include <string>

#include "absl/strings/string_view.h"

namespace tidegate {

// `text` as UTF-8, cut before the character that would exceed `most_bytes`. Each byte that belongs to no
// character (RFC 3629: no surrogates, no long spellings, nothing above U+10FFFF) becomes U+FFFD.
std::string ToUtf8(absl::string_view text, std::size_t most_bytes = std::numeric_limits<std::size_t>::max());

}  // namespace tidegate
