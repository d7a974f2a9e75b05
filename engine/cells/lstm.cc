#include "engine/cells/lstm.h"

#include <algorithm>
#include <vector>

#include "engine/cells/recurrent_weights.h"

namespace tidegate {
namespace {

StepKernel MakeKernel(const Tensors& tensors, Precision precision) {
  const auto peephole = tensors.find("peephole");
  if (peephole == tensors.end()) return {Gating::kLstm, RecurrentWeights(tensors), precision};
  return {Gating::kPeepholeLstm, RecurrentWeights(tensors), precision, peephole->second.values};
}

}  // namespace

LstmCell::LstmCell(const Tensors& tensors, Precision precision) : kernel_(MakeKernel(tensors, precision)) {
  const auto found = tensors.find("weight_hr");
  if (found == tensors.end()) return;
  const Tensor& weight = found->second;
  const std::vector<float> no_bias(weight.shape[0]);
  projection_ = std::make_unique<const PackedLinear>(weight.values.data(), no_bias.data(), weight.shape[0],
                                                     weight.shape[1]);
}

void LstmCell::Advance(const StepKernel::Inputs& inputs, float* const* states, const float** y,
                       std::size_t batch, Scratch& scratch) const {
  if (projection_ == nullptr) {
    kernel_.Step(inputs, states, batch, scratch);
  } else {
    const std::size_t width = outputs();
    float* const hidden = scratch.Take<float>(batch * kernel_.padded_units());
    const float** const rows = scratch.Take<const float*>(batch);
    float* const projected = scratch.Take<float>(batch * width);
    kernel_.StepBeside(inputs, states, hidden, batch, scratch);
    for (std::size_t b = 0; b < batch; ++b) rows[b] = hidden + b * kernel_.padded_units();
    projection_->Apply(rows, projected, batch);
    for (std::size_t b = 0; b < batch; ++b) std::copy_n(projected + b * width, width, states[b]);
  }
  std::copy_n(states, batch, y);
}

}  // namespace tidegate
