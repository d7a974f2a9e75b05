#include "server/shard/batch_rows.h"

#include <algorithm>
#include <cassert>
#include <cstdlib>
#include <new>

namespace tidegate {

BatchRows::BatchRows(const Model& model, std::size_t rows)
    : kept_(model.layout().kept),
      all_(model.layout().held),
      width_((all_ + kLineFloats - 1) / kLineFloats * kLineFloats),
      rows_(rows),
      floats_(static_cast<float*>(std::aligned_alloc(64, rows * width_ * sizeof(float))), std::free) {
  if (floats_ == nullptr) throw std::bad_alloc();
  for (std::size_t r = rows; r-- > 0;) free_.push_back(static_cast<std::uint32_t>(r));
}

std::uint32_t BatchRows::Take(std::uint32_t slot, const Decision& decision, const StreamHeader& header,
                              std::span<float> floats) {
  assert(!free_.empty());
  const std::uint32_t row = free_.back();
  free_.pop_back();
  // A restart begins the rings anew, which is not to be seen before the reading is through.
  const bool whole = decision.bridges > 0 || decision.restart;
  rows_[row] = {.slot = slot, .bridges = decision.bridges, .decision = decision, .header = header};
  rows_[row].rings = whole ? kept(row) + kept_ : floats.data() + kept_;
  rows_[row].held = floats.data() + all_;
  std::copy_n(floats.data(), whole ? all_ : kept_, kept(row));
  return row;
}

void BatchRows::Commit(std::uint32_t row, StreamHeader& header, std::span<float> floats) {
  const bool whole = rows_[row].rings == kept(row) + kept_;
  header = rows_[row].header;
  std::copy_n(kept(row), whole ? all_ : kept_, floats.data());
  Free(row);
}

}  // namespace tidegate
