#include "engine/cells/step_kernel.h"

#include <algorithm>
#include <bit>
#include <cstdint>
#include <cstring>

#include "engine/cells/step_kernel_isa.h"
#include "engine/tensor/elementwise.h"

namespace tidegate {
namespace {

constexpr std::size_t kChunk = 96;  // rows whose states stay in the second-level cache beside the weights

const StepFunctions& Functions() {
#if defined(__x86_64__)
  static const StepFunctions& chosen = []() -> const StepFunctions& {
    if (std::strcmp(InstructionSet(), "avx512_bf16") == 0) return avx512_bf16::kStepFunctions;
    if (std::strcmp(InstructionSet(), "avx512") == 0) return avx512::kStepFunctions;
    if (std::strcmp(InstructionSet(), "avx2") == 0) return avx2::kStepFunctions;
    return portable::kStepFunctions;
  }();
  return chosen;
#else
  return portable::kStepFunctions;
#endif
}

std::size_t RoundUp(std::size_t n, std::size_t to) { return (n + to - 1) / to * to; }

// Two floats that are bf16 as one pair.
float PairOf(float first, float second) {
  return std::bit_cast<float>(std::bit_cast<std::uint32_t>(first) >> 16 |
                              std::bit_cast<std::uint32_t>(second));
}

}  // namespace

StepKernel::StepKernel(Gating gating, const RecurrentWeights& weights, Precision precision,
                       const std::vector<float>& peephole)
    : gating_(gating),
      precision_(precision),
      inputs_(weights.input.cols),
      units_(weights.input.rows / (gating == Gating::kGru ? 3 : 4)),
      width_(weights.hidden.cols) {
  const std::size_t width = Functions().width;
  const std::size_t gates = gating == Gating::kGru ? 3 : 4;
  const std::size_t panels = RoundUp(units_, width) / width;
  const std::size_t extra = gating == Gating::kPeepholeLstm ? 3 : 0;
  panels_.resize(panels * (4 + extra + (Terms(inputs_) + Terms(width_)) * gates) * width);
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
      const std::size_t columns = matrix->cols, together = pairs() ? 2 : 1;
      for (std::size_t k = 0; k < columns; k += together) {
        for (std::size_t gate = 0; gate < gates; ++gate) {
          put(gate, [&](std::size_t row) {
            const float* const w = matrix->row(row) + k;
            return pairs() ? PairOf(w[0], k + 1 < columns ? w[1] : 0) : w[0];
          });
        }
      }
    }
  }
}

std::size_t StepKernel::padded_units() const { return RoundUp(units_, Functions().width); }

StepKernel::Operands StepKernel::TakeOperands(std::size_t rows, Scratch& scratch) const {
  const std::size_t width = Functions().width;
  const std::size_t stride = (RoundUp(inputs_, width) + RoundUp(width_, width)) / 2;
  return {scratch.Take<const float*>(rows), scratch.Take<const float*>(rows),
          scratch.Take<float>(rows * stride), stride};
}

// Sets the task's x and h to what the products take of `x` and of its states.
void StepKernel::SetOperands(const float* const* x, const Operands& operands, StepTask& task) const {
  task.x = x;
  task.h = task.states;
  if (!pairs()) return;
  const auto round = [&](const float* const* from, std::size_t floats, float* to, const float** to_rows) {
    Functions().to_pairs({.from = from,
                          .to = to,
                          .to_rows = to_rows,
                          .rows = task.rows,
                          .rows_ahead = task.rows_ahead,
                          .floats = floats,
                          .stride = operands.stride});
    return to_rows;
  };
  if (task.part != StepPart::kRest) task.x = round(x, inputs_, operands.words, operands.x);
  if (task.part != StepPart::kInputs) {
    float* const words = operands.words + RoundUp(inputs_, Functions().width) / 2;
    task.h = round(task.states, width_, words, operands.h);
  }
}

void StepKernel::Run(StepPart part, const Rows& rows, std::size_t batch, Scratch& scratch) const {
  const StepForms& forms = pairs() ? Functions().pairs : Functions().floats;
  const auto step = gating_ == Gating::kGru    ? forms.gru
                    : gating_ == Gating::kLstm ? forms.lstm
                                               : forms.peephole_lstm;
  const auto from = [](auto* p, std::size_t first) { return p == nullptr ? nullptr : p + first; };
  const Operands operands = pairs() ? TakeOperands(std::min(batch, kChunk), scratch) : Operands{};
  for (std::size_t first = 0; first < batch; first += kChunk) {
    StepTask task{.panels = panels_.data(),
                  .x = nullptr,
                  .h = nullptr,
                  .states = from(rows.states, first),
                  .sums = from(rows.sums, first * sum_floats()),
                  .hidden = from(rows.hidden, first * padded_units()),
                  .part = part,
                  .rows = std::min(kChunk, batch - first),
                  .rows_ahead = part == StepPart::kInputs ? 0 : batch - first,
                  .state_floats = width_ + (gating_ == Gating::kGru ? 0 : units_),
                  .input_terms = Terms(inputs_),
                  .hidden_terms = Terms(width_),
                  .units = units_,
                  .width = width_,
                  .backward = scratch.backward};
    SetOperands(from(rows.x, first), operands, task);
    step(task);
    scratch.backward = !scratch.backward;
  }
}

void StepKernel::InputSums(const float* const* x, float* sums, std::size_t rows, Scratch& scratch) const {
  Run(StepPart::kInputs, {.x = x, .sums = sums}, rows, scratch);
}

void StepKernel::StepBeside(const Inputs& inputs, float* const* states, float* hidden, std::size_t batch,
                            Scratch& scratch) const {
  // The kernel reads the sums of this part and does not write them.
  Run(inputs.sums == nullptr ? StepPart::kWhole : StepPart::kRest,
      {.x = inputs.x, .states = states, .sums = const_cast<float*>(inputs.sums), .hidden = hidden}, batch,
      scratch);
}

void StepKernel::Step(const Inputs& inputs, float* const* states, std::size_t batch, Scratch& scratch) const {
  const std::size_t padded = padded_units();
  if (pairs() || padded <= Functions().panels_together(std::min(batch, kChunk)) * Functions().width) {
    return StepBeside(inputs, states, nullptr, batch, scratch);  // no unit still reads an h that is replaced
  }
  float* const hidden = scratch.Take<float>(std::min(batch, kChunk) * padded);
  for (std::size_t first = 0; first < batch; first += kChunk) {
    const std::size_t rows = std::min(kChunk, batch - first);
    const Inputs part = {inputs.x == nullptr ? nullptr : inputs.x + first,
                         inputs.sums == nullptr ? nullptr : inputs.sums + first * sum_floats()};
    StepBeside(part, states + first, hidden, rows, scratch);
    for (std::size_t r = 0; r < rows; ++r) {
      std::memcpy(states[first + r], hidden + r * padded, units_ * sizeof(float));
    }
  }
}

}  // namespace tidegate
