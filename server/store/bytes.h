#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "absl/strings/string_view.h"

namespace tidegate {

// Numbers as little-endian bytes. Values that this machine keeps so are copied as they are.
static_assert(std::endian::native == std::endian::little, "written for little-endian machines");

// Writes where there is room for it; returns where the next goes.
template <typename T>
char* PutNumber(char* at, T value) {
  static_assert(std::is_trivially_copyable_v<T> && !std::is_pointer_v<T>);
  std::memcpy(at, &value, sizeof(value));
  return at + sizeof(value);
}
inline char* PutBytes(char* at, const void* bytes, std::size_t size) {
  if (size > 0) std::memcpy(at, bytes, size);
  return at + size;
}

// Reads from bytes that nobody vouches for. A read behind the end gives zeros, and ok() is false from then
// on.
class ByteReader {
 public:
  explicit ByteReader(absl::string_view bytes) : rest_(bytes) {}

  template <typename T>
  T Number() {
    T value{};
    const absl::string_view bytes = Bytes(sizeof(value));
    if (!bytes.empty()) std::memcpy(&value, bytes.data(), sizeof(value));
    return value;
  }
  absl::string_view Bytes(std::size_t size) {
    if (size > rest_.size()) {
      ok_ = false;
      rest_ = {};
      return {};
    }
    const absl::string_view bytes = rest_.substr(0, size);
    rest_.remove_prefix(size);
    return bytes;
  }

  bool ok() const { return ok_; }
  absl::string_view rest() const { return rest_; }

 private:
  absl::string_view rest_;
  bool ok_ = true;
};

}  // namespace tidegate
