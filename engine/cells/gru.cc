#include "engine/cells/gru.h"

#include "engine/tensor/elementwise.h"

namespace tidegate {

GruCell::GruCell(const RecurrentWeights& weights)
    : input_(weights.input.data(), weights.input_bias.data(), weights.input.rows, weights.input.cols),
      hidden_(weights.hidden.data(), weights.hidden_bias.data(), weights.hidden.rows, weights.hidden.cols) {}

void GruCell::Step(const float* x, float* const* states, std::size_t batch, Workspace& workspace) const {
  const std::size_t rows = 3 * units();
  Products(input_, hidden_, x, states, batch, workspace);
  for (std::size_t b = 0; b < batch; ++b) {
    GruGates(&workspace.input_product[b * rows], &workspace.hidden_product[b * rows], states[b], units());
  }
}

}  // namespace tidegate
