#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/model/spec.h"
#include "engine/tensor/matrix.h"
#include "engine/tensor/tensors.h"
#include "engine/train/dataset.h"
#include "engine/train/linear_sums.h"

namespace tidegate {

// A fitted linear path.
class LinearPath {
 public:
  // Sets spec.linear_context and linear_per_channel; maps: one, or one for each channel; [horizon, context].
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

}  // namespace tidegate
