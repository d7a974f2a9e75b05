#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace tidegate {

// The arrays of a network's weights, or of its gradient, in one order. Borrowed.
using Arrays = std::vector<std::span<float>>;

// Shrinks `gradient` to the length `limit` if it is longer.
void ClipNorm(const Arrays& gradient, double limit);

// Adam with decay rates 0.9 and 0.999 (Kingma & Ba 2014, arXiv:1412.6980, algorithm 1), and AdamW's weight
// decay (Loshchilov & Hutter 2017, arXiv:1711.05101): at each step all weights are shrunk by the learning
// rate times `weight_decay`.
class Adam {
 public:
  // Changes `weights` by `gradient` at each Step; both stay where they are while this lives.
  Adam(Arrays weights, Arrays gradient, double weight_decay = 0);

  void Step(double learning_rate);

  // What further steps depend on beside the weights. SetState wants one of as many floats.
  const std::vector<float>& mean() const { return mean_; }
  const std::vector<float>& squares() const { return squares_; }
  std::size_t steps() const { return steps_; }
  void SetState(std::vector<float> mean, std::vector<float> squares, std::size_t steps);

 private:
  Arrays weights_;
  Arrays gradient_;
  double weight_decay_;
  std::vector<float> mean_;     // of the gradient, all arrays in order
  std::vector<float> squares_;  // of the squared gradient
  std::size_t steps_ = 0;
};

}  // namespace tidegate
