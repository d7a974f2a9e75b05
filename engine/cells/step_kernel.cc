#include "engine/cells/step_kernel.h"

#include <algorithm>
#include <cstring>

#include "engine/cells/step_kernel_isa.h"
#include "engine/tensor/elementwise.h"

namespace tidegate {
namespace {

constexpr std::size_t kChunk = 96;  // rows whose states stay in the second-level cache beside the weights

const StepFunctions& Functions() {
#if defined(__x86_64__)
  static const StepFunctions& chosen = std::strcmp(InstructionSet(), "avx512") == 0 ? avx512::kStepFunctions
                                       : std::strcmp(InstructionSet(), "avx2") == 0
                                           ? avx2::kStepFunctions
                                           : portable::kStepFunctions;
  return chosen;
#else
  return portable::kStepFunctions;
#endif
}

std::size_t RoundUp(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

}  // namespace

StepKernel::StepKernel(Gating gating, const RecurrentWeights& weights, const std::vector<float>& peephole)
    : gating_(gating),
      inputs_(weights.input.cols),
      units_(weights.input.rows / (gating == Gating::kGru ? 3 : 4)),
      width_(weights.hidden.cols) {
  const std::size_t width = Functions().width;
  const std::size_t gates = gating == Gating::kGru ? 3 : 4;
  const std::size_t panels = RoundUp(units_, width) / width;
  const std::size_t extra = gating == Gating::kPeepholeLstm ? 3 : 0;
  panels_.resize(panels * (4 + extra + (inputs_ + width_) * gates) * width);
  float* out = panels_.data();
  for (std::size_t panel = 0; panel < panels; ++panel) {
    // One vector: element of `values` at `column` for each unit of the panel, in the rows of `gate`.
    const auto put = [&](std::size_t gate, auto element) {
      for (std::size_t i = 0; i < width; ++i, ++out) {
        const std::size_t unit = panel * width + i;
        if (unit < units_) *out = element(gate * units_ + unit);
      }
    };
    const auto input_bias = [&](std::size_t row) { return weights.input_bias[row]; };
    const auto hidden_bias = [&](std::size_t row) { return weights.hidden_bias[row]; };
    const auto both = [&](std::size_t row) { return weights.input_bias[row] + weights.hidden_bias[row]; };
    if (gating == Gating::kGru) {  // sums: r, z, n over inputs, n over hidden state
      put(0, both);
      put(1, both);
      put(2, input_bias);
      put(2, hidden_bias);
    } else {
      for (std::size_t gate = 0; gate < 4; ++gate) put(gate, both);
    }
    for (std::size_t i = 0; i < extra; ++i) put(i, [&](std::size_t row) { return peephole[row]; });
    for (const Matrix* matrix : {&weights.input, &weights.hidden}) {
      for (std::size_t k = 0; k < matrix->cols; ++k) {
        for (std::size_t gate = 0; gate < gates; ++gate) {
          put(gate, [&](std::size_t row) { return matrix->row(row)[k]; });
        }
      }
    }
  }
}

std::size_t StepKernel::padded_units() const { return RoundUp(units_, Functions().width); }

void StepKernel::StepBeside(const float* const* x, float* const* states, float* hidden, std::size_t batch,
                            Scratch& scratch) const {
  const StepFunctions& functions = Functions();
  const auto step = gating_ == Gating::kGru    ? functions.gru
                    : gating_ == Gating::kLstm ? functions.lstm
                                               : functions.peephole_lstm;
  const std::size_t padded = padded_units();
  const std::size_t state_floats = width_ + (gating_ == Gating::kGru ? 0 : units_);
  for (std::size_t first = 0; first < batch; first += kChunk) {
    step({.panels = panels_.data(),
          .x = x + first,
          .states = states + first,
          .hidden = hidden == nullptr ? nullptr : hidden + first * padded,
          .rows = std::min(kChunk, batch - first),
          .rows_ahead = batch - first,
          .state_floats = state_floats,
          .inputs = inputs_,
          .units = units_,
          .width = width_,
          .backward = scratch.backward});
    scratch.backward = !scratch.backward;
  }
}

void StepKernel::Step(const float* const* x, float* const* states, std::size_t batch,
                      Scratch& scratch) const {
  const std::size_t padded = padded_units();
  if (padded <= Functions().panels_together(std::min(batch, kChunk)) * Functions().width) {
    return StepBeside(x, states, nullptr, batch, scratch);  // no unit still reads an h that is replaced
  }
  float* const hidden = scratch.Take<float>(std::min(batch, kChunk) * padded);
  for (std::size_t first = 0; first < batch; first += kChunk) {
    const std::size_t rows = std::min(kChunk, batch - first);
    StepBeside(x + first, states + first, hidden, rows, scratch);
    for (std::size_t r = 0; r < rows; ++r) {
      std::memcpy(states[first + r], hidden + r * padded, units_ * sizeof(float));
    }
  }
}

}  // namespace tidegate
