#pragma once

#include <cstddef>
#include <memory>

namespace tidegate {

struct UnmapMemory {
  std::size_t bytes = 0;
  void operator()(std::byte* memory) const;
};

// Memory in pages of 2 MiB where the kernel has them, as random access to a table of small ones mostly waits
// for their translation. Zero at first; taken when it is touched.
using LargeMemory = std::unique_ptr<std::byte[], UnmapMemory>;

// Throws std::bad_alloc.
LargeMemory MakeLargeMemory(std::size_t bytes);

}  // namespace tidegate
