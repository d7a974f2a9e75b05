#pragma once

#include <optional>

#include "absl/strings/string_view.h"

namespace tidegate {

// What people choose between: the kinds of network that are searched and compared.
enum class Family {
  kLstm,              // "lstm"
  kPeepholeLstm,      // "peephole_lstm"
  kLayerNormLstm,     // "layer_norm_lstm"
  kGru,               // "gru"
  kLayerNormGru,      // "layer_norm_gru"
  kGluGru,            // "glu_gru"
  kBidirectionalGru,  // "bidirectional_gru": over a window of readings, every forecast made anew
  kCnnGru,            // "cnn_gru": a convolution below it
  kCnnLstm,           // "cnn_lstm"
};
inline constexpr Family kFamilies[] = {
    Family::kLstm,         Family::kPeepholeLstm, Family::kLayerNormLstm,    Family::kGru,
    Family::kLayerNormGru, Family::kGluGru,       Family::kBidirectionalGru, Family::kCnnGru,
    Family::kCnnLstm};

const char* FamilyName(Family family);  // as in the comments above
std::optional<Family> FamilyOf(absl::string_view name);

}  // namespace tidegate
