#pragma once

#include <cstdint>

#include "absl/strings/string_view.h"

namespace tidegate {

// CRC-32C (Castagnoli; RFC 3720, appendix B.4) of bytes that follow those whose checksum is `before`. With
// the processor's instruction where there is one: about 10 GB/s.
std::uint32_t Crc32c(absl::string_view bytes, std::uint32_t before = 0);

// The same without that instruction.
std::uint32_t PortableCrc32c(absl::string_view bytes, std::uint32_t before = 0);

}  // namespace tidegate
