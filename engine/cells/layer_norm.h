#pragma once

#include <cmath>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "engine/tensor/tensors.h"

namespace tidegate {

// Layer normalisation of one row: y = gain * v^ + bias, v^ = (v - mean(v)) / sqrt(variance(v) + 1e-5).
// Source: Ba et al. 2016 (arXiv:1607.06450), eq. 4. Sums run in one order, in double. Const methods are safe
// from any thread.
class LayerNorm {
 public:
  // name: of the tensors name.gain and name.bias [n].
  LayerNorm(std::string name, std::size_t n) : name_(std::move(name)), gain_(n), bias_(n) {}

  void SetWeights(const Tensors& tensors) {
    gain_ = tensors.at(name_ + ".gain").values;
    bias_ = tensors.at(name_ + ".bias").values;
  }

  // Floats of the tape: v^, then 1 / deviation.
  std::size_t tape_floats() const { return gain_.size() + 1; }

  // y [n] += the normalised v [n].
  void AddTo(const float* v, float* tape, float* y) const {
    const std::size_t n = gain_.size();
    double sum = 0;
    for (std::size_t j = 0; j < n; ++j) sum += v[j];
    const double mean = sum / static_cast<double>(n);
    double squares = 0;
    for (std::size_t j = 0; j < n; ++j) squares += (v[j] - mean) * (v[j] - mean);
    const double inverse = 1 / std::sqrt(squares / static_cast<double>(n) + 1e-5);
    for (std::size_t j = 0; j < n; ++j) {
      tape[j] = static_cast<float>((v[j] - mean) * inverse);
      y[j] += gain_[j] * tape[j] + bias_[j];
    }
    tape[n] = static_cast<float>(inverse);
  }

  // From d_y [n] to d_v [n]; adds to the gradients of gain and bias.
  void Backward(const float* d_y, const float* tape, float* d_v, Tensors& gradients) const {
    const std::size_t n = gain_.size();
    std::vector<float>& d_gain = gradients.at(name_ + ".gain").values;
    std::vector<float>& d_bias = gradients.at(name_ + ".bias").values;
    double mean = 0, along = 0;  // of the gradient with respect to v^, and of its product with v^
    for (std::size_t j = 0; j < n; ++j) {
      d_gain[j] += d_y[j] * tape[j];
      d_bias[j] += d_y[j];
      d_v[j] = d_y[j] * gain_[j];
      mean += d_v[j];
      along += static_cast<double>(d_v[j]) * tape[j];
    }
    mean /= static_cast<double>(n);
    along /= static_cast<double>(n);
    for (std::size_t j = 0; j < n; ++j)
      d_v[j] = static_cast<float>((d_v[j] - mean - tape[j] * along) * tape[n]);
  }

 private:
  std::string name_;
  std::vector<float> gain_, bias_;  // [n]
};

}  // namespace tidegate
