#include "server/shard/large_memory.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>

namespace tidegate {
namespace {

constexpr std::size_t kPage = 2u << 20, kSmallPage = 4u << 10;

}  // namespace

void UnmapMemory::operator()(std::byte* memory) const { munmap(memory, bytes); }

LargeMemory MakeLargeMemory(std::size_t wanted) {
  const std::size_t bytes = (wanted + kSmallPage - 1) / kSmallPage * kSmallPage;
  // A page more, of which what lies before the first whole one and behind the last goes back.
  void* const mapped =
      mmap(nullptr, bytes + kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* const begin = static_cast<std::byte*>(mapped);
  const std::size_t before = (kPage - reinterpret_cast<std::uintptr_t>(begin) % kPage) % kPage;
  if (before > 0) munmap(begin, before);
  if (before < kPage) munmap(begin + before + bytes, kPage - before);
  madvise(begin + before, bytes, MADV_HUGEPAGE);  // a wish
  return LargeMemory(begin + before, UnmapMemory{bytes});
}

}  // namespace tidegate
