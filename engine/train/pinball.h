#pragma once

#include <span>

#include "engine/stream/pinball.h"
#include "engine/tensor/matrix.h"

namespace tidegate {

// The pinball loss (engine/stream/pinball.h), summed over all targets and quantiles. targets [R, horizon],
// NaN: left out. outputs [R, horizon*Q], replaced by the gradient of the sum times `scale`.
double PinballGradient(const Matrix& targets, std::span<const float> quantiles, float scale, Matrix& outputs);

}  // namespace tidegate
