#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/model/spec.h"
#include "engine/tensor/matrix.h"
#include "engine/train/dataset.h"

namespace tidegate {

// Fits how much of a forecast is the network's and how much the linear path's, on validation forecasts: for
// each block of the horizon, and each map of the linear path, the weight with the least squared error, drawn
// towards a half, the more so the more alike both err, as far as that costs half a percent of the error;
// within 0 and 1.
class MixingFit {
 public:
  explicit MixingFit(const ModelSpec& spec);

  // targets [R, horizon] (NaN: left out), network [R, horizon, Q], linear [R, horizon].
  void Add(std::span<const std::size_t> maps, const Matrix& targets, const Matrix& network,
           const Matrix& linear);

  // [maps, horizon]: mixing.network. trust [horizon], 0 to 1: what the weights are multiplied with, see
  // LinearPart::trust.
  std::vector<float> Weights(std::span<const double> trust) const;

 private:
  struct Sums {
    double together = 0;  // (target - linear) (network - linear)
    double apart = 0;     // (network - linear)^2
    double alone = 0;     // (target - linear)^2
  };
  static double Weight(const Sums& sums);

  std::size_t horizon_, levels_;
  std::vector<std::size_t> block_of_;  // [horizon]
  std::vector<float> unit_;            // [horizon]
  std::vector<Sums> sums_;             // [maps, blocks]
  std::size_t blocks() const { return block_of_.back() + 1; }
};

// outputs [R, horizon, Q] of the network become those of the model, as Model::MixLinear does it. maps [R]:
// the row of `mixing` for each.
void MixLinear(std::span<const std::size_t> maps, std::span<const float> mixing, const Matrix& linear,
               std::size_t levels, Matrix& outputs);

}  // namespace tidegate
