#pragma once

#include <span>

#include "engine/stream/pinball.h"
#include "engine/tensor/matrix.h"

namespace tidegate {

// What training makes small.
enum class LossKind {
  kPinball,  // "pinball" (engine/stream/pinball.h), the only one for several quantiles
  kMae,      // "mae": |error|
  kMse,      // "mse": error^2
  kHuber,    // "huber": error^2 / 2 up to 1, |error| - 1/2 beyond (Huber 1964)
};
const char* LossName(LossKind kind);
inline constexpr LossKind kLossKinds[] = {LossKind::kPinball, LossKind::kMae, LossKind::kMse,
                                          LossKind::kHuber};

struct Loss {
  LossKind kind = LossKind::kPinball;
  std::span<const float> quantiles = {};  // [Q]
  std::span<const float> weights = {};    // [horizon] what errors of each step are multiplied with; empty: 1
};

// The loss, summed over all targets and quantiles. targets [R, horizon], NaN: left out. outputs [R,
// horizon*Q], replaced by the gradient of the sum times `scale`.
double LossGradient(const Loss& loss, const Matrix& targets, float scale, Matrix& outputs);

}  // namespace tidegate
