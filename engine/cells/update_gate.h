#pragma once

#include <cstddef>

#include "engine/tensor/tensors.h"

namespace tidegate {

// For weights of a GRU whose source has h' = z * n + (1 - z) * h (Chung et al. 2014, arXiv:1412.3555) where
// ours has h' = (1 - z) * n + z * h: negates the rows of z, as 1 - sigmoid(v) = sigmoid(-v). Any GRU kind
// with biases; applied twice it changes nothing.
inline void FlipUpdateGate(Tensors& tensors) {
  const std::size_t units = tensors.at("weight_hh").shape[1];
  for (const char* name : {"weight_ih", "weight_hh", "bias_ih", "bias_hh"}) {
    Tensor& tensor = tensors.at(name);
    const std::size_t row = tensor.shape.size() == 2 ? tensor.shape[1] : 1;
    for (std::size_t i = units * row; i < 2 * units * row; ++i) tensor.values[i] = -tensor.values[i];
  }
}

}  // namespace tidegate
