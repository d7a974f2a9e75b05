#pragma once

#include <span>

#include "engine/tensor/matrix.h"

namespace tidegate {

// The pinball loss of quantile q, q * e for e = target - forecast >= 0, else (q - 1) * e; its mean is least
// at the q-th quantile (Koenker & Bassett 1978, Econometrica 46).

// Sum over all targets and quantiles. targets [R, horizon], NaN: left out. outputs [R, horizon*Q], replaced
// by the gradient of the sum times `scale`.
double PinballGradient(const Matrix& targets, std::span<const float> quantiles, float scale, Matrix& outputs);

// The loss of one target, summed over the quantiles. outputs [Q].
double Pinball(float target, std::span<const float> quantiles, const float* outputs);

}  // namespace tidegate
