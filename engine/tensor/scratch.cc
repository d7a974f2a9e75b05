#include "engine/tensor/scratch.h"

#include <algorithm>

namespace tidegate {

void Scratch::Reset() {
  if (blocks_.size() > 1) {  // the next step gets by with one block
    std::size_t total = 0;
    for (const Block& block : blocks_) total += block.size;
    blocks_.clear();
    AddBlock(total);
  }
  left_ = blocks_.empty() ? 0 : blocks_.back().size;
}

void Scratch::AddBlock(std::size_t bytes) {
  const std::size_t size = std::max<std::size_t>(bytes, 4096);
  blocks_.push_back(
      {std::unique_ptr<std::byte[], Free>(new (std::align_val_t{kAlignment}) std::byte[size]), size});
  left_ = size;
}

}  // namespace tidegate
