#pragma once

#include <array>
#include <cassert>
#include <cstddef>

namespace tidegate {

// First in, first out, at most `capacity` of them. Never allocates. Not thread-safe.
template <typename T, std::size_t capacity>
class BoundedQueue {
 public:
  bool empty() const { return size_ == 0; }
  std::size_t size() const { return size_; }

  const T& front() const {  // requires that there is one
    assert(size_ > 0);
    return items_[first_];
  }
  void pop_front() {  // requires that there is one
    assert(size_ > 0);
    first_ = (first_ + 1) % capacity;
    --size_;
  }
  void push_back(const T& item) {  // requires size() < capacity
    assert(size_ < capacity);
    items_[(first_ + size_++) % capacity] = item;
  }

 private:
  std::array<T, capacity> items_{};
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

}  // namespace tidegate
