#include "engine/backtest/errors.h"

#include <cmath>
#include <limits>

#include "engine/stream/pinball.h"

namespace tidegate {
namespace {

constexpr double Errors::*kFields[] = {&Errors::mse,     &Errors::mae,      &Errors::mase, &Errors::smape,
                                       &Errors::pinball, &Errors::coverage, &Errors::width};

}  // namespace

void Errors::Add(const Errors& other) {
  targets += other.targets;
  for (double Errors::*const field : kFields) this->*field += other.*field;
}

void Errors::Divide() {
  for (double Errors::*const field : kFields) this->*field /= static_cast<double>(targets);
}

Errors ErrorsOf(float target, float point, std::span<const float> quantiles, std::span<const float> levels,
                double deviation, double scale, float reach) {
  const double error = static_cast<double>(point) - target, size = std::abs(error);
  const double sum = std::abs(static_cast<double>(point)) + std::abs(static_cast<double>(target));
  Errors errors = {.targets = 1,
                   .mse = error * error / (deviation * deviation),
                   .mae = size / deviation,
                   .mase = size / scale,
                   .smape = sum > 0 ? 200 * size / sum : 0};
  if (!(scale > 0)) errors.mase = std::numeric_limits<double>::quiet_NaN();
  if (quantiles.empty()) {
    errors.pinball = errors.coverage = errors.width = std::numeric_limits<double>::quiet_NaN();
    return errors;
  }
  errors.pinball =
      Pinball(target, levels, quantiles.data()) / (deviation * static_cast<double>(levels.size()));
  errors.coverage = target >= quantiles.front() - reach && target <= quantiles.back() + reach ? 1 : 0;
  errors.width = (quantiles.back() - quantiles.front()) / deviation;
  return errors;
}

}  // namespace tidegate
