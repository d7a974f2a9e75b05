// Compiled once per instruction set with TIDEGATE_ISA as the namespace; includes nothing with inline
// functions outside that namespace.
#include "engine/cells/step_kernel_isa.h"

#include "engine/tensor/vec.h"

namespace tidegate::TIDEGATE_ISA {
namespace {

// Gates r, z, n of which n has two sums: over the inputs (2) and over the hidden state (3).
struct Gru {
  static constexpr std::size_t kGates = 3;
  static constexpr std::size_t kInputSum[] = {0, 1, 2};
  static constexpr std::size_t kHiddenSum[] = {0, 1, 3};
  static Vec Output(const Vec* sum, float* state, std::size_t unit, std::size_t units) {
    const Vec h = LoadPart(state + unit, units - unit);
    const Vec r = SigmoidOf(sum[0]);
    const Vec z = SigmoidOf(sum[1]);
    const Vec n = TanhOf(Fma(r, sum[3], sum[2]));
    return Fma(z, h - n, n);
  }
};

// Gates i, f, g, o; the cell state s lies behind h and is written at once, as no other unit reads it.
struct Lstm {
  static constexpr std::size_t kGates = 4;
  static constexpr std::size_t kInputSum[] = {0, 1, 2, 3};
  static constexpr std::size_t kHiddenSum[] = {0, 1, 2, 3};
  static Vec Output(const Vec* sum, float* state, std::size_t unit, std::size_t units) {
    float* const cell = state + units + unit;
    const Vec s = Fma(SigmoidOf(sum[1]), LoadPart(cell, units - unit), SigmoidOf(sum[0]) * TanhOf(sum[2]));
    StorePart(cell, s, units - unit);
    return SigmoidOf(sum[3]) * TanhOf(s);
  }
};

// Adds `terms` products of a weight vector per gate and a broadcast value per row.
template <std::size_t kRows, std::size_t kPanels, typename Cell>
__attribute__((always_inline)) inline void Accumulate(Vec (&sum)[kRows][kPanels][4],
                                                      const float* const* values, const float* weights,
                                                      std::size_t panel_stride, std::size_t terms,
                                                      const std::size_t* target) {
  for (std::size_t k = 0; k < terms; ++k) {
    Vec value[kRows];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) value[r] = Fill(values[r][k]);
#pragma GCC unroll 8
    for (std::size_t p = 0; p < kPanels; ++p) {
#pragma GCC unroll 8
      for (std::size_t g = 0; g < Cell::kGates; ++g) {
        const Vec w = Load(weights + p * panel_stride + (k * Cell::kGates + g) * kWidth);
#pragma GCC unroll 8
        for (std::size_t r = 0; r < kRows; ++r) sum[r][p][target[g]] = Fma(w, value[r], sum[r][p][target[g]]);
      }
    }
  }
}

// New hidden states of kRows streams for kPanels panels from `panel` on.
template <std::size_t kRows, std::size_t kPanels, typename Cell>
void Tile(const StepTask& task, std::size_t row, std::size_t panel) {
  const std::size_t stride = (4 + (task.inputs + task.units) * Cell::kGates) * kWidth;
  const float* const weights = task.panels + panel * stride;
  const float* x[kRows];
  const float* h[kRows];
  Vec sum[kRows][kPanels][4];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < kRows; ++r) {
    x[r] = task.x + (row + r) * task.inputs;
    h[r] = task.states[row + r];
#pragma GCC unroll 8
    for (std::size_t p = 0; p < kPanels; ++p) {
#pragma GCC unroll 8
      for (std::size_t g = 0; g < 4; ++g) sum[r][p][g] = Load(weights + p * stride + g * kWidth);
    }
  }
  const float* const input_weights = weights + 4 * kWidth;
  const float* const hidden_weights = input_weights + task.inputs * Cell::kGates * kWidth;
  Accumulate<kRows, kPanels, Cell>(sum, x, input_weights, stride, task.inputs, Cell::kInputSum);
  Accumulate<kRows, kPanels, Cell>(sum, h, hidden_weights, stride, task.units, Cell::kHiddenSum);

  const std::size_t padded = (task.units + kWidth - 1) / kWidth * kWidth;
#pragma GCC unroll 8
  for (std::size_t p = 0; p < kPanels; ++p) {
    const std::size_t unit = (panel + p) * kWidth;
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
      Store(task.hidden + (row + r) * padded + unit,
            Cell::Output(sum[r][p], task.states[row + r], unit, task.units));
    }
  }
}

// All rows for kPanels panels: tiles of full height, then one that is lower.
template <std::size_t kPanels, typename Cell, std::size_t kRows>
void Rows(const StepTask& task, std::size_t panel, std::size_t row) {
  for (; row + kRows <= task.rows; row += kRows) Tile<kRows, kPanels, Cell>(task, row, panel);
  if constexpr (kRows > 1) Rows<kPanels, Cell, kRows - 1>(task, panel, row);
}

// Few rows leave registers for several panels at once, which hides the latency of the multiply-adds.
template <typename Cell>
void Step(const StepTask& task) {
  const std::size_t panels = (task.units + kWidth - 1) / kWidth;
  const std::size_t together = task.rows == 1 ? kTilePanels : task.rows == 2 ? 2 : 1;
  std::size_t done = 0;
  while (done < panels) {
    const std::size_t count = panels - done < together ? panels - done : together;
    const std::size_t panel = task.backward ? panels - done - count : done;
    switch (count) {
      case 4:
        Rows<4, Cell, 1>(task, panel, 0);
        break;
      case 3:
        Rows<3, Cell, 1>(task, panel, 0);
        break;
      case 2:
        Rows<2, Cell, 2>(task, panel, 0);
        break;
      default:
        Rows<1, Cell, kTileRows>(task, panel, 0);
    }
    done += count;
  }
}

}  // namespace

const StepFunctions kStepFunctions = {kWidth, Step<Gru>, Step<Lstm>};

}  // namespace tidegate::TIDEGATE_ISA
