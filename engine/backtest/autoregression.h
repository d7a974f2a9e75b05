#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <vector>

#include "engine/backtest/target.h"
#include "engine/tensor/matrix.h"

namespace tidegate {

// A linear autoregression for every step ahead, by ridge regression: the last values, each less the last one,
// in deviations, and a constant, to the value so many steps later less the last one. One map for all streams.
// Learns from the rows before the test part alone; context and penalty are those that do best on the last
// fifth of them. A missing value counts as the last known one.
class Autoregression {
 public:
  // None if the rows before the test part are too few for the shortest context.
  static std::optional<Autoregression> Fit(std::span<const Target> targets, std::size_t horizon);

  std::size_t context() const { return map_.cols; }  // readings
  double penalty() const { return penalty_; }

  // forecasts [origins, horizon], the target's unit: what is forecast at row t of each target; before the
  // first `context` rows it is the last known value.
  struct Origin {
    const Target* target;
    std::size_t row;
  };
  void Forecast(std::span<const Origin> origins, Matrix& forecasts);

 private:
  Autoregression(Matrix map, double penalty) : map_(std::move(map)), penalty_(penalty) {}

  Matrix map_;  // [horizon, context]
  double penalty_;
  Matrix inputs_;
};

}  // namespace tidegate
