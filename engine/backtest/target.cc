#include "engine/backtest/target.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tidegate {

void SetOwnDeviation(std::span<Target> pieces, std::size_t rows) {
  double count = 0, mean = 0, squares = 0;  // Welford's
  for (const Target& piece : pieces) {
    for (std::size_t t = rows == 0 ? 0 : piece.from - std::min(piece.from, rows); t < piece.from; ++t) {
      const double value = piece.values[t];
      if (std::isnan(value)) continue;
      const double over = value - mean;
      mean += over / ++count;
      squares += over * (value - mean);
    }
  }
  if (squares == 0) return;
  for (Target& piece : pieces) piece.deviation = std::sqrt(squares / count);
}

Target TargetOf(const Series& series, const ModelSpec& spec, std::size_t from) {
  const std::size_t n = series.size();
  Target target;
  target.values.resize(n);
  target.known.resize(n);
  target.scored.resize(n);
  target.from = std::min(from, n);
  const Feature& scale = spec.TargetOf(n > 0 ? series.values[series.features - 1] : 0);
  target.deviation = scale.deviation;
  target.reach = scale.resolution / 2;
  float last = std::numeric_limits<float>::quiet_NaN();
  for (std::size_t t = 0; t < n; ++t) {
    const float value = series.values[t * series.features + spec.target];
    if (!std::isnan(value)) last = value;
    target.values[t] = value;
    target.known[t] = last;
    target.scored[t] = series.scored[t] && !std::isnan(value);
  }
  return target;
}

}  // namespace tidegate
