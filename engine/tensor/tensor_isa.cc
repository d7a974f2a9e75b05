// Compiled once per instruction set with TIDEGATE_ISA as the namespace; includes nothing with inline
// functions outside that namespace.
#include "engine/tensor/tensor_isa.h"

#include "engine/tensor/vec.h"

namespace tidegate::TIDEGATE_ISA {
namespace {

// Applies `function` to every value; the last, partial vector through a buffer.
template <typename Function>
void ForAll(float* values, std::size_t n, Function function) {
  std::size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) Store(values + i, function(Load(values + i)));
  if (i < n) StorePart(values + i, function(LoadPart(values + i, n - i)), n - i);
}

void Sigmoid(float* values, std::size_t n) { ForAll(values, n, SigmoidOf); }
void Tanh(float* values, std::size_t n) { ForAll(values, n, TanhOf); }
void Softplus(float* values, std::size_t n) { ForAll(values, n, SoftplusOf); }

template <std::size_t kRows, std::size_t kPanels>
void LinearTile(const LinearTask& task, std::size_t row, std::size_t panel) {
  const std::size_t stride = (1 + task.inputs) * kWidth;
  const float* const weights = task.panels + panel * stride;
  Vec sum[kRows][kPanels];
#pragma GCC unroll 8
  for (std::size_t p = 0; p < kPanels; ++p) {
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) sum[r][p] = Load(weights + p * stride);
  }
  for (std::size_t i = 0; i < task.inputs; ++i) {
    Vec x[kRows];
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) x[r] = Fill(task.x[row + r][i]);
#pragma GCC unroll 8
    for (std::size_t p = 0; p < kPanels; ++p) {
      const Vec w = Load(weights + p * stride + (1 + i) * kWidth);
#pragma GCC unroll 8
      for (std::size_t r = 0; r < kRows; ++r) sum[r][p] = Fma(w, x[r], sum[r][p]);
    }
  }
#pragma GCC unroll 8
  for (std::size_t p = 0; p < kPanels; ++p) {
    const std::size_t output = (panel + p) * kWidth;
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
      StorePart(task.y + (row + r) * task.outputs + output, sum[r][p], task.outputs - output);
    }
  }
}

template <std::size_t kRows, std::size_t kPanels>
void LinearPanels(const LinearTask& task, std::size_t row, std::size_t panel, std::size_t panels) {
  for (; panel + kPanels <= panels; panel += kPanels) LinearTile<kRows, kPanels>(task, row, panel);
  if constexpr (kPanels > 1) LinearPanels<kRows, kPanels - 1>(task, row, panel, panels);
}

template <std::size_t kRows>
void LinearRows(const LinearTask& task, std::size_t row) {
  const std::size_t panels = (task.outputs + kWidth - 1) / kWidth;
  for (; row + kRows <= task.rows; row += kRows) LinearPanels<kRows, kTilePanels>(task, row, 0, panels);
  if constexpr (kRows > 1) LinearRows<kRows - 1>(task, row);
}

void Linear(const LinearTask& task) { LinearRows<kTileRows>(task, 0); }

#define TIDEGATE_TEXT(name) #name
#define TIDEGATE_NAME(name) TIDEGATE_TEXT(name)

}  // namespace

const TensorKernels kTensorKernels = {TIDEGATE_NAME(TIDEGATE_ISA), kWidth, Sigmoid, Tanh, Softplus, Linear};

}  // namespace tidegate::TIDEGATE_ISA
