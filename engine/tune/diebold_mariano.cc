#include "engine/tune/diebold_mariano.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace tidegate {

DieboldMariano CompareLosses(std::span<const double> differences, std::size_t horizon) {
  const std::size_t count = differences.size();
  const auto n = static_cast<double>(count), h = static_cast<double>(horizon);
  if (count < 2 * horizon + 2) return {};
  const double mean = std::accumulate(differences.begin(), differences.end(), 0.0) / n;
  double rectangular = 0, bartlett = 0;
  for (std::size_t lag = 0; lag < horizon; ++lag) {
    double covariance = 0;
    for (std::size_t i = lag; i < count; ++i)
      covariance += (differences[i] - mean) * (differences[i - lag] - mean);
    const double both_sides = (lag == 0 ? 1 : 2) * covariance / n;
    rectangular += both_sides;
    bartlett += (1 - static_cast<double>(lag) / h) * both_sides;
  }
  const double variance = std::max(rectangular, bartlett);
  if (!(variance > 0)) return {};
  const double correction = std::sqrt(std::max(0.0, (n + 1 - 2 * h + h * (h - 1) / n) / n));
  const double statistic = correction * mean / std::sqrt(variance / n);
  return {.statistic = statistic, .p = std::erfc(std::abs(statistic) / std::sqrt(2.0))};
}

}  // namespace tidegate
