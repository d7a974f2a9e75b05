#include "engine/tensor/packed_linear.h"

#include <algorithm>

#include "engine/tensor/tensor_isa.h"

namespace tidegate {

PackedLinear::PackedLinear(const float* weights, const float* bias, std::size_t outputs, std::size_t inputs)
    : outputs_(outputs), inputs_(inputs) {
  const std::size_t width = ChosenKernels().width;
  const std::size_t panels = (outputs + width - 1) / width;
  panels_.resize(panels * (1 + inputs) * width);
  for (std::size_t o = 0; o < outputs; ++o) {
    float* const column = &panels_[o / width * (1 + inputs) * width + o % width];
    column[0] = bias[o];
    for (std::size_t i = 0; i < inputs; ++i) column[(1 + i) * width] = weights[o * inputs + i];
  }
}

void PackedLinear::Apply(const float* const* x, float* y, std::size_t rows) const {
  ChosenKernels().linear(
      {.panels = panels_.data(), .x = x, .y = y, .rows = rows, .inputs = inputs_, .outputs = outputs_});
}

}  // namespace tidegate
