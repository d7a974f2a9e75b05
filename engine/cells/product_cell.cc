#include "engine/cells/product_cell.h"

#include <algorithm>
#include <utility>
#include <vector>

namespace tidegate {
namespace {

PackedLinear Pack(const Tensors& tensors, const char* weight_name, const char* bias_name) {
  const Tensor& weight = tensors.at(weight_name);
  const std::vector<float> zero(weight.shape[0]);
  const auto bias = tensors.find(bias_name);
  return {weight.values.data(), bias == tensors.end() ? zero.data() : bias->second.values.data(),
          weight.shape[0], weight.shape[1]};
}

}  // namespace

ProductCell::ProductCell(std::unique_ptr<GateRule> rule, const Tensors& tensors)
    : rule_(std::move(rule)),
      input_(Pack(tensors, "weight_ih", "bias_ih")),
      hidden_(Pack(tensors, "weight_hh", "bias_hh")) {
  rule_->SetWeights(tensors);
}

void ProductCell::Step(const float* const* x, float* const* states, const float** y, std::size_t batch,
                       Scratch& scratch) const {
  float* const a = scratch.Take<float>(batch * sum_floats());
  input_.Apply(x, a, batch);
  StepFromSums(a, states, y, batch, scratch);
}

void ProductCell::StepFromSums(const float* a, float* const* states, const float** y, std::size_t batch,
                               Scratch& scratch) const {
  const std::size_t units = rule_->units(), floats = sum_floats();
  float* const u = scratch.Take<float>(batch * floats);
  float* const tape = scratch.Take<float>(rule_->tape_floats());
  float* const next = scratch.Take<float>(2 * units);
  std::copy_n(states, batch, y);
  hidden_.Apply(y, u, batch);
  for (std::size_t b = 0; b < batch; ++b) {
    float* const h = states[b];
    float* const s = rule_->has_cell() ? h + units : nullptr;
    rule_->Forward(a + b * floats, u + b * floats, h, s, tape, next, next + units);
    std::copy_n(next, state_floats(), h);
  }
}

}  // namespace tidegate
