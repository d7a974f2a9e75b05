#include "server/shard/id_page.h"

#include <cassert>
#include <limits>

namespace tidegate {
namespace {

constexpr std::size_t kGrowth = 1024;  // bytes; doubling would waste a quarter of the page on average

}  // namespace

void IdPage::Set(std::size_t slot, absl::string_view id) {
  assert(id.size() <= std::numeric_limits<std::uint8_t>::max());
  unused_ += size_[slot];
  size_[slot] = 0;
  const std::size_t most = std::numeric_limits<std::uint16_t>::max();
  if (unused_ > kGrowth && (2 * unused_ > bytes_.size() || bytes_.size() + id.size() > most)) Compact();
  if (bytes_.size() + id.size() > bytes_.capacity()) bytes_.reserve(bytes_.size() + id.size() + kGrowth);
  begin_[slot] = static_cast<std::uint16_t>(bytes_.size());
  size_[slot] = static_cast<std::uint8_t>(id.size());
  bytes_.append(id.data(), id.size());
}

void IdPage::Compact() {
  std::string used;
  used.reserve(bytes_.size() - unused_ + kGrowth);
  for (std::size_t slot = 0; slot < kIds; ++slot) {
    const absl::string_view id = Get(slot);
    begin_[slot] = static_cast<std::uint16_t>(used.size());
    used.append(id.data(), id.size());
  }
  bytes_.swap(used);
  unused_ = 0;
}

}  // namespace tidegate
