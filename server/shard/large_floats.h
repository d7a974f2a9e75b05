#pragma once

#include <cstddef>
#include <memory>

namespace tidegate {

struct UnmapFloats {
  std::size_t bytes = 0;
  void operator()(float* floats) const;
};

// Floats in pages of 2 MiB where the kernel has them, as random access to a table of small ones mostly waits
// for their translation. Zero at first; memory is taken when it is
// touched.
using LargeFloats = std::unique_ptr<float[], UnmapFloats>;

// Throws std::bad_alloc.
LargeFloats MakeLargeFloats(std::size_t count);

}  // namespace tidegate
