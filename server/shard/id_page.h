#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/strings/string_view.h"

namespace tidegate {

// The ids of kIds slots, one behind the other, so that an id costs its bytes and three more. Not thread-safe.
class IdPage {
 public:
  static constexpr std::size_t kIds = 256;

  // Empty: the slot has none. Holds until the next Set.
  absl::string_view Get(std::size_t slot) const { return {bytes_.data() + begin_[slot], size_[slot]}; }

  // Gives the slot an id of at most 255 bytes, or none. The bytes of a former id are taken back when they
  // make up half of the page.
  void Set(std::size_t slot, absl::string_view id);

 private:
  void Compact();

  std::string bytes_;
  std::array<std::uint16_t, kIds> begin_{};  // kIds * 255 bytes at most, and as many that are not used
  std::array<std::uint8_t, kIds> size_{};
  std::size_t unused_ = 0;  // bytes
};

}  // namespace tidegate
