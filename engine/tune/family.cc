#include "engine/tune/family.h"

#include <array>
#include <cstddef>

namespace tidegate {
namespace {

constexpr std::array kNames = {"lstm",    "peephole_lstm",     "layer_norm_lstm", "gru",     "layer_norm_gru",
                               "glu_gru", "bidirectional_gru", "cnn_gru",         "cnn_lstm"};
static_assert(kNames.size() == std::size(kFamilies));

}  // namespace

const char* FamilyName(Family family) { return kNames[static_cast<std::size_t>(family)]; }

std::optional<Family> FamilyOf(absl::string_view name) {
  for (const Family family : kFamilies) {
    if (name == FamilyName(family)) return family;
  }
  return std::nullopt;
}

}  // namespace tidegate
