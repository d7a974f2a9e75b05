#include "engine/train/loss.h"

#include <algorithm>
#include <cmath>
#include <cstddef>

namespace tidegate {
namespace {

// Of one target, its errors times `weight`; replaces its outputs [Q] by the gradient.
double OneGradient(const Loss& loss, float target, float weight, float scale, float* output) {
  scale *= weight;
  if (loss.kind == LossKind::kPinball) {
    const double sum = Pinball(target, loss.quantiles, output);
    for (std::size_t q = 0; q < loss.quantiles.size(); ++q) {
      output[q] = scale * (target >= output[q] ? -loss.quantiles[q] : 1 - loss.quantiles[q]);
    }
    return weight * sum;
  }
  const float error = weight * (*output - target);
  const float sign = error < 0 ? -1.0f : 1.0f;
  switch (loss.kind) {
    case LossKind::kPinball:
    case LossKind::kMae:
      *output = scale * sign;
      return std::abs(error);
    case LossKind::kMse:
      *output = scale * 2 * error;
      return static_cast<double>(error) * error;
    case LossKind::kHuber:
      *output = scale * std::clamp(error, -1.0f, 1.0f);
      return std::abs(error) <= 1 ? error * error / 2 : std::abs(error) - 0.5f;
  }
  return 0;
}

}  // namespace

const char* LossName(LossKind kind) {
  switch (kind) {
    case LossKind::kPinball:
      return "pinball";
    case LossKind::kMae:
      return "mae";
    case LossKind::kMse:
      return "mse";
    case LossKind::kHuber:
      return "huber";
  }
  return "";
}

double LossGradient(const Loss& loss, const Matrix& targets, float scale, Matrix& outputs) {
  double sum = 0;
  const std::size_t levels = loss.quantiles.size();
  float* output = outputs.data();
  for (std::size_t r = 0; r < targets.rows; ++r) {
    for (std::size_t k = 0; k < targets.cols; ++k, output += levels) {
      const float target = targets.row(r)[k];
      const float weight = loss.weights.empty() ? 1.0f : loss.weights[k];
      if (std::isnan(target)) {
        std::fill_n(output, levels, 0.0f);
      } else {
        sum += OneGradient(loss, target, weight, scale, output);
      }
    }
  }
  return sum;
}

}  // namespace tidegate
