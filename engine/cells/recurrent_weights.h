#pragma once

#include <vector>

#include "engine/tensor/matrix.h"

namespace tidegate {

// Weights of one recurrent layer as PyTorch stores them; G gates of H units each, one gate's rows after the
// other. GRU: G = 3, order r, z, n. LSTM: G = 4, order i, f, g, o. The same shape holds gradients.
struct RecurrentWeights {
  Matrix input;                    // W [G*H, I]
  Matrix hidden;                   // U [G*H, H]
  std::vector<float> input_bias;   // b [G*H]
  std::vector<float> hidden_bias;  // c [G*H]

  std::size_t units() const { return hidden.cols; }
};

}  // namespace tidegate
