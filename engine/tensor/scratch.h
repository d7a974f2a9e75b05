#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <vector>

namespace tidegate {

// Scratch memory of one thread for one step of a network. What is taken stays in place until Reset; the
// memory grows to the largest step seen, then is allocated no more. Not thread-safe.
class Scratch {
 public:
  // `n` unspecified values of a trivial type, aligned to 64 bytes.
  template <typename T>
  T* Take(std::size_t n) {
    return static_cast<T*>(TakeBytes(n * sizeof(T)));
  }

  // Everything taken is given back.
  void Reset();

  // Kernels walk their weights from the other end every other step: the tail is still cached.
  bool backward = false;

 private:
  static constexpr std::size_t kAlignment = 64;
  struct Free {
    void operator()(std::byte* p) const { ::operator delete[](p, std::align_val_t{kAlignment}); }
  };
  struct Block {
    std::unique_ptr<std::byte[], Free> bytes;
    std::size_t size = 0;
  };

  void* TakeBytes(std::size_t bytes) {
    const std::size_t rounded = (bytes / kAlignment + 1) * kAlignment;  // at least one, also for nothing
    if (rounded > left_) AddBlock(rounded);
    left_ -= rounded;
    return blocks_.back().bytes.get() + left_;
  }
  void AddBlock(std::size_t bytes);

  std::vector<Block> blocks_;
  std::size_t left_ = 0;  // bytes of the last block that are free; taken from its end
};

}  // namespace tidegate
