#include "engine/train/adam.h"

#include <cassert>
#include <cmath>
#include <utility>

namespace tidegate {

void ClipNorm(const Arrays& gradient, double limit) {
  double squares = 0;
  for (const auto array : gradient) {
    for (const float g : array) squares += static_cast<double>(g) * g;
  }
  if (squares <= limit * limit) return;
  const auto factor = static_cast<float>(limit / std::sqrt(squares));
  for (const auto array : gradient) {
    for (float& g : array) g *= factor;
  }
}

Adam::Adam(Arrays weights, Arrays gradient, double weight_decay)
    : weights_(std::move(weights)), gradient_(std::move(gradient)), weight_decay_(weight_decay) {
  std::size_t floats = 0;
  for (const auto array : weights_) floats += array.size();
  mean_.resize(floats);
  squares_.resize(floats);
}

void Adam::SetState(std::vector<float> mean, std::vector<float> squares, std::size_t steps) {
  assert(mean.size() == mean_.size() && squares.size() == squares_.size());
  mean_ = std::move(mean);
  squares_ = std::move(squares);
  steps_ = steps;
}

void Adam::Step(double learning_rate) {
  constexpr double kMeanDecay = 0.9, kSquaresDecay = 0.999;
  constexpr float kEpsilon = 1e-8f, kMean = kMeanDecay, kSquares = kSquaresDecay;
  ++steps_;
  const auto steps = static_cast<double>(steps_);
  const auto rate = static_cast<float>(learning_rate / (1 - std::pow(kMeanDecay, steps)));
  const auto unbias = static_cast<float>(1 / (1 - std::pow(kSquaresDecay, steps)));
  const auto keep = static_cast<float>(1 - learning_rate * weight_decay_);
  float* mean = mean_.data();
  float* squares = squares_.data();
  for (std::size_t a = 0; a < weights_.size(); ++a) {
    float* weights = weights_[a].data();
    const float* gradient = gradient_[a].data();
    const std::size_t n = weights_[a].size();
    for (std::size_t i = 0; i < n; ++i) {
      mean[i] = kMean * mean[i] + (1 - kMean) * gradient[i];
      squares[i] = kSquares * squares[i] + (1 - kSquares) * gradient[i] * gradient[i];
      weights[i] = keep * weights[i] - rate * mean[i] / (std::sqrt(squares[i] * unbias) + kEpsilon);
    }
    mean += n;
    squares += n;
  }
}

}  // namespace tidegate
