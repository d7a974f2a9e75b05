#include "engine/cells/lstm.h"

#include "engine/tensor/elementwise.h"

namespace tidegate {

LstmCell::LstmCell(const RecurrentWeights& weights)
    : input_(weights.input.data(), weights.input_bias.data(), weights.input.rows, weights.input.cols),
      hidden_(weights.hidden.data(), weights.hidden_bias.data(), weights.hidden.rows, weights.hidden.cols) {}

void LstmCell::Step(const float* x, float* const* states, std::size_t batch, Workspace& workspace) const {
  const std::size_t rows = 4 * units();
  Products(input_, hidden_, x, states, batch, workspace);
  for (std::size_t b = 0; b < batch; ++b) {
    LstmGates(&workspace.input_product[b * rows], &workspace.hidden_product[b * rows], states[b],
              states[b] + units(), units());
  }
}

}  // namespace tidegate
