#pragma once

#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <vector>

#include "engine/model/spec.h"
#include "engine/tensor/matrix.h"
#include "engine/tensor/tensors.h"
#include "engine/train/dataset.h"
#include "engine/train/ridge.h"

namespace tidegate {

// How a linear path is made; all of it decided on validation rows.
struct LinearChoice {
  std::size_t context = 0;  // L; 0: none
  bool per_channel = false;
  double penalty = std::numeric_limits<double>::infinity();  // of the ridge regression, per row
  double error = std::numeric_limits<double>::infinity();    // mean squared validation error, in deviations
};

// The sums of the linear path's regression: the target's last L levels less the last one, and a constant in
// its place, against the levels of the horizon less the last one. A missing level counts as the last known.
class LinearSums {
 public:
  // rows: at most so many origins of each part, evenly spread. data: with level inputs.
  LinearSums(const std::vector<PreparedSeries>& data, const ModelSpec& spec, std::size_t context,
             std::size_t rows);

  // The best of the contexts (up to L), penalties and scopes (a map for each channel only if `scopes`).
  LinearChoice Choose(const std::vector<std::size_t>& contexts, bool scopes) const;

  // [maps] of [horizon, context + 1]: the map's weights, the constant in the last place.
  std::vector<Matrix> Solve(const LinearChoice& choice) const;

 private:
  std::size_t horizon_;
  std::vector<RidgeSums> training_, validation_;  // of each channel, or of all series
};

// A fitted linear path.
class LinearPath {
 public:
  // Sets spec.linear_context and linear_per_channel; `maps` as LinearSums::Solve gives them.
  LinearPath(const LinearChoice& choice, const std::vector<Matrix>& maps, ModelSpec& spec);

  // forecast: set to [R, horizon], unit of the head, as Model's linear path gives it at these origins.
  void Forecast(const std::vector<PreparedSeries>& data, std::span<const Chunk::Origin> origins,
                Matrix& forecast) const;

  Tensors tensors() const { return tensors_; }  // linear.weight, linear.bias

 private:
  std::size_t target_, context_, horizon_, channels_;
  std::vector<std::size_t> shape_;
  Tensors tensors_;
};

// The channel of a series' row, 0 without channels.
std::size_t ChannelAt(const PreparedSeries& series, std::size_t row, const ModelSpec& spec);

}  // namespace tidegate
