#include "engine/train/mixing.h"

#include <algorithm>
#include <bit>
#include <cmath>

namespace tidegate {
namespace {

constexpr std::size_t kMixedBlocks = 8;
// How much the half weighs beside the data: validation rows are another season than those to come.
constexpr double kDraw = 0.5;
constexpr double kCost = 0.005;  // of the least error: what being drawn may cost

// The block of each step. The first steps have blocks of their own, of 1, 1, 2, 4, 8, ... steps: there a
// linear map is often much the better one.
std::vector<std::size_t> Blocks(const ModelSpec& spec) {
  const std::size_t length =
      std::max({spec.segment, (spec.horizon + kMixedBlocks - 1) / kMixedBlocks, std::size_t{1}});
  std::vector<std::size_t> blocks = {0};
  for (std::size_t h = 1; h < spec.horizon; ++h)
    blocks.push_back(blocks.back() + (h % length == 0 || (h < length && std::has_single_bit(h)) ? 1 : 0));
  return blocks;
}

}  // namespace

MixingFit::MixingFit(const ModelSpec& spec)
    : horizon_(spec.horizon),
      levels_(spec.quantiles.size()),
      block_of_(Blocks(spec)),
      unit_(spec.step_deviation),
      sums_(spec.linear_maps() * blocks()) {}

void MixingFit::Add(std::span<const std::size_t> maps, const Matrix& targets, const Matrix& network,
                    const Matrix& linear) {
  for (std::size_t r = 0; r < targets.rows; ++r) {
    for (std::size_t h = 0; h < horizon_; ++h) {
      const float target = targets.row(r)[h];
      if (std::isnan(target)) continue;
      const double line = linear.row(r)[h], squared = static_cast<double>(unit_[h]) * unit_[h];
      const double apart = network.row(r)[h * levels_ + levels_ / 2] - line;
      Sums& sums = sums_[maps[r] * blocks() + block_of_[h]];
      sums.together += squared * (target - line) * apart;
      sums.apart += squared * apart * apart;
      sums.alone += squared * (target - line) * (target - line);
    }
  }
}

double MixingFit::Weight(const Sums& sums) {
  if (!(sums.apart > 0)) return 0.5;
  // The error with weight w is alone - 2 w together + w^2 apart.
  const double least = std::clamp(sums.together / sums.apart, 0.0, 1.0);
  const double error = sums.alone + least * (least * sums.apart - 2 * sums.together);
  const double farthest = std::sqrt(kCost * std::max(error, 0.0) / sums.apart);
  const double network = sums.alone - 2 * sums.together + sums.apart;
  const double alike = std::min(network, sums.alone) / std::max({network, sums.alone, 1e-300});
  const double draw = kDraw * std::max(2 * alike - 1, 0.0);  // none if one errs twice as much as the other
  const double drawn = (least + draw * 0.5) / (1 + draw);
  return std::clamp(drawn, least - farthest, least + farthest);
}

std::vector<float> MixingFit::Weights(std::span<const double> trust) const {
  std::vector<float> weights;
  for (std::size_t map = 0; map < sums_.size() / blocks(); ++map) {
    for (std::size_t h = 0; h < horizon_; ++h)
      weights.push_back(static_cast<float>(trust[h] * Weight(sums_[map * blocks() + block_of_[h]])));
  }
  return weights;
}

void MixLinear(std::span<const std::size_t> maps, std::span<const float> mixing, const Matrix& linear,
               std::size_t levels, Matrix& outputs) {
  const std::size_t horizon = linear.cols;
  for (std::size_t r = 0; r < outputs.rows; ++r) {
    for (std::size_t h = 0; h < horizon; ++h) {
      float* const y = outputs.row(r) + h * levels;
      const float shift = (1 - mixing[maps[r] * horizon + h]) * (linear.row(r)[h] - y[levels / 2]);
      for (std::size_t q = 0; q < levels; ++q) y[q] += shift;
    }
  }
}

}  // namespace tidegate
