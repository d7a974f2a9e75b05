#pragma once

#include <vector>

#include "engine/tensor/matrix.h"
#include "engine/tensor/tensors.h"

namespace tidegate {

// Weights of one recurrent layer as PyTorch stores them; G gates of H units each, one gate's rows after the
// other. GRU: G = 3, order r, z, n. LSTM: G = 4, order i, f, g, o.
struct RecurrentWeights {
  RecurrentWeights() = default;
  // From the tensors weight_ih, weight_hh, bias_ih and bias_hh; biases that are not there are zero.
  explicit RecurrentWeights(const Tensors& tensors)
      : input(MatrixOf(tensors.at("weight_ih"))),
        hidden(MatrixOf(tensors.at("weight_hh"))),
        input_bias(BiasOf(tensors, "bias_ih")),
        hidden_bias(BiasOf(tensors, "bias_hh")) {}

  Matrix input;                    // W [G*H, I]
  Matrix hidden;                   // U [G*H, P]; P = H without a projection
  std::vector<float> input_bias;   // b [G*H]
  std::vector<float> hidden_bias;  // c [G*H]

 private:
  static Matrix MatrixOf(const Tensor& tensor) {
    Matrix matrix;
    matrix.rows = tensor.shape[0];
    matrix.cols = tensor.shape[1];
    matrix.values = tensor.values;
    return matrix;
  }
  std::vector<float> BiasOf(const Tensors& tensors, const char* name) const {
    const auto found = tensors.find(name);
    return found == tensors.end() ? std::vector<float>(input.rows) : found->second.values;
  }
};

}  // namespace tidegate
