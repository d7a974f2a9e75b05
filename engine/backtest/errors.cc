#include "engine/backtest/errors.h"

#include <cmath>

#include "engine/stream/pinball.h"

namespace tidegate {
namespace {

struct Mean {
  double Errors::*sum;
  std::size_t Errors::*count;
};
constexpr Mean kMeans[] = {{&Errors::mse, &Errors::targets},
                           {&Errors::mae, &Errors::targets},
                           {&Errors::smape, &Errors::targets},
                           {&Errors::mase, &Errors::mase_targets},
                           {&Errors::pinball, &Errors::pinball_targets},
                           {&Errors::coverage, &Errors::interval_targets},
                           {&Errors::width, &Errors::interval_targets}};

}  // namespace

void Errors::Add(const Errors& other) {
  for (const Mean& mean : kMeans) this->*mean.sum += other.*mean.sum;
  targets += other.targets;
  mase_targets += other.mase_targets;
  pinball_targets += other.pinball_targets;
  interval_targets += other.interval_targets;
}

void Errors::Divide() {
  for (const Mean& mean : kMeans) this->*mean.sum /= static_cast<double>(this->*mean.count);  // 0 / 0: NaN
}

Errors ErrorsOf(float target, float point, std::span<const float> quantiles, std::span<const float> levels,
                double deviation, double scale, float reach) {
  const double error = static_cast<double>(point) - target, size = std::abs(error);
  const double sum = std::abs(static_cast<double>(point)) + std::abs(static_cast<double>(target));
  Errors errors = {.targets = 1,
                   .mse = error * error / (deviation * deviation),
                   .mae = size / deviation,
                   .smape = sum > 0 ? 200 * size / sum : 0};
  if (scale > 0) {
    errors.mase_targets = 1;
    errors.mase = size / scale;
  }
  if (!quantiles.empty()) {
    errors.pinball_targets = 1;
    errors.pinball =
        Pinball(target, levels, quantiles.data()) / (deviation * static_cast<double>(levels.size()));
  }
  if (quantiles.size() > 1) {
    errors.interval_targets = 1;
    errors.coverage = target >= quantiles.front() - reach && target <= quantiles.back() + reach ? 1 : 0;
    errors.width = (quantiles.back() - quantiles.front()) / deviation;
  }
  return errors;
}

}  // namespace tidegate
