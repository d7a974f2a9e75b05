#pragma once

#include <cstddef>
#include <cstdint>
#include <random>

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

 private:
  std::mt19937_64 bits_;
};

}  // namespace tidegate
