#pragma once

#include <cstddef>
#include <cstdint>
#include <random>
#include <sstream>
#include <string>

namespace tidegate {

// Random numbers whose bits depend on the seed alone: the distributions of <random> may differ between
// libraries.
class Random {
 public:
  explicit Random(std::uint64_t seed) : bits_(seed) {}

  // Evenly in [-bound, bound), in 2^24 steps.
  float Uniform(float bound) { return bound * (static_cast<float>(bits_() >> 40) * 0x1p-23f - 1.0f); }

  std::uint64_t Bits() { return bits_(); }

  // In [0, n), n > 0; the bias of the remainder is far below what training could notice.
  std::size_t Below(std::size_t n) { return bits_() % n; }

  // What all further numbers depend on, as text; and back. False: not such a text.
  std::string State() const {
    std::ostringstream text;
    text << bits_;
    return text.str();
  }
  bool SetState(const std::string& state) {
    std::istringstream text(state);
    return static_cast<bool>(text >> bits_);
  }

 private:
  std::mt19937_64 bits_;
};

}  // namespace tidegate
