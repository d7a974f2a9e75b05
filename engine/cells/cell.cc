#include "engine/cells/cell.h"

#include <algorithm>

namespace tidegate {

void Cell::Products(const PackedLinear& input, const PackedLinear& hidden, const float* x,
                    float* const* states, std::size_t batch, Workspace& workspace) {
  const std::size_t rows = input.outputs();
  const std::size_t units = hidden.inputs();
  if (workspace.input_product.size() < batch * rows) {
    workspace.input_product.resize(batch * rows);
    workspace.hidden_product.resize(batch * rows);
  }
  if (workspace.hidden.size() < batch * units) workspace.hidden.resize(batch * units);
  for (std::size_t b = 0; b < batch; ++b) std::copy_n(states[b], units, &workspace.hidden[b * units]);
  input.Apply(x, workspace.input_product.data(), batch, workspace.linear);
  hidden.Apply(workspace.hidden.data(), workspace.hidden_product.data(), batch, workspace.linear);
}

}  // namespace tidegate
