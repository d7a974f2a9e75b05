#include "engine/backtest/target.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace tidegate {
namespace {

// Of a feature's values in rows [0, end); 0: they do not vary.
double DeviationOf(const Series& series, std::size_t feature, std::size_t end) {
  double count = 0, mean = 0, squares = 0;  // Welford's
  for (std::size_t t = 0; t < end; ++t) {
    const double value = series.values[t * series.features + feature];
    if (std::isnan(value)) continue;
    const double over = value - mean;
    mean += over / ++count;
    squares += over * (value - mean);
  }
  return count > 0 ? std::sqrt(squares / count) : 0;
}

}  // namespace

Target TargetOf(const Series& series, const ModelSpec& spec, std::size_t from) {
  const std::size_t n = series.size();
  Target target;
  target.values.resize(n);
  target.known.resize(n);
  target.scored.resize(n);
  target.from = std::min(from, n);
  const Feature& scale = spec.TargetOf(n > 0 ? series.values[series.features - 1] : 0);
  target.deviation = scale.deviation;
  if (spec.per_stream) {
    double own = DeviationOf(series, spec.target, target.from);
    if (own == 0) own = DeviationOf(series, spec.target, n);
    if (own > 0) target.deviation = own;
  }
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
