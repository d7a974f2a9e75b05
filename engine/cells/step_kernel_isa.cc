// Compiled once per instruction set with TIDEGATE_ISA as the namespace; includes nothing with inline
// functions outside that namespace.
#include "engine/cells/step_kernel_isa.h"

#include "engine/tensor/vec.h"

namespace tidegate::TIDEGATE_ISA {
namespace {

// Gates r, z, n of which n has two sums: over the inputs (2) and over the hidden state (3).
struct Gru {
  static constexpr std::size_t kGates = 3;
  static constexpr std::size_t kPeepholes = 0;
  static constexpr std::size_t kInputSum[] = {0, 1, 2};
  static constexpr std::size_t kHiddenSum[] = {0, 1, 3};
  static Vec Output(const Vec* sum, const float*, float* state, std::size_t unit, const StepTask& task) {
    const Vec h = LoadPart(state + unit, task.units - unit);
    const Vec r = SigmoidOf(sum[0]);
    // z = 1 / (1 + e), so h' = (n e + h) / (1 + e), and n a fraction itself: one division for both.
    const Vec e = ExpMinus(sum[1], 125);
    const Fraction n = TanhFraction(Fma(r, sum[3], sum[2]));
    return Fma(n.over, e, h * n.under) / Fma(n.under, e, n.under);
  }
};

// f s + i tanh(g) from the pre-activations of the gates. With 1 / i and 1 / f in [1, 2^62] there is room for
// their product, and so one division does.
__attribute__((always_inline)) inline Vec NewCell(Vec i, Vec f, Vec g, Vec s) {
  const Vec one = Fill(1);
  const Vec under_f = one + ExpMinus(f, 62);
  const Fraction tanh = TanhFraction(g);
  const Vec under_i = Fma(tanh.under, ExpMinus(i, 62), tanh.under);
  return Fma(s, under_i, tanh.over * under_f) / (under_f * under_i);
}

// sigmoid(o) tanh(s), with one division.
__attribute__((always_inline)) inline Vec NewHidden(Vec o, Vec s) {
  const Fraction tanh = TanhFraction(s);
  return tanh.over / Fma(tanh.under, ExpMinus(o, 125), tanh.under);
}

// Gates i, f, g, o; the cell state s lies behind h and is written at once, as no other unit reads it.
struct Lstm {
  static constexpr std::size_t kGates = 4;
  static constexpr std::size_t kPeepholes = 0;
  static constexpr std::size_t kInputSum[] = {0, 1, 2, 3};
  static constexpr std::size_t kHiddenSum[] = {0, 1, 2, 3};
  static Vec Output(const Vec* sum, const float*, float* state, std::size_t unit, const StepTask& task) {
    float* const cell = state + task.width + unit;
    const std::size_t left = task.units - unit;
    const Vec s = NewCell(sum[0], sum[1], sum[2], LoadPart(cell, left));
    StorePart(cell, s, left);
    return NewHidden(sum[3], s);
  }
};

// The same, the gates seeing the cell state by `peephole`: three vectors, for i, f and o.
struct PeepholeLstm : Lstm {
  static constexpr std::size_t kPeepholes = 3;
  static Vec Output(const Vec* sum, const float* peephole, float* state, std::size_t unit,
                    const StepTask& task) {
    float* const cell = state + task.width + unit;
    const std::size_t left = task.units - unit;
    const Vec before = LoadPart(cell, left);
    const Vec i = Fma(Load(peephole), before, sum[0]);
    const Vec f = Fma(Load(peephole + kWidth), before, sum[1]);
    const Vec s = NewCell(i, f, sum[2], before);
    StorePart(cell, s, left);
    return NewHidden(Fma(Load(peephole + 2 * kWidth), s, sum[3]), s);
  }
};

// What a term of the products is.
struct Floats {
  static Vec MultiplyAdd(Vec a, Vec b, Vec sum) { return Fma(a, b, sum); }
};
struct Pairs {
  static Vec MultiplyAdd(Vec a, Vec b, Vec sum) { return MultiplyPairs(a, b, sum); }
};

// Adds `terms` products of a weight vector per gate and a broadcast value per row.
template <std::size_t kRows, std::size_t kPanels, typename Cell, typename Term>
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
        for (std::size_t r = 0; r < kRows; ++r) {
          Vec& s = sum[r][p][target[g]];
          s = Term::MultiplyAdd(w, value[r], s);
        }
      }
    }
  }
}

// New hidden states of kRows streams for kPanels panels from `panel` on.
template <std::size_t kRows, std::size_t kPanels, typename Cell, typename Term, StepPart kPart>
void Tile(const StepTask& task, std::size_t row, std::size_t panel) {
  constexpr std::size_t kFirst = 4 + Cell::kPeepholes;  // vectors before the weights
  const std::size_t stride = (kFirst + (task.input_terms + task.hidden_terms) * Cell::kGates) * kWidth;
  const float* const weights = task.panels + panel * stride;
  const std::size_t padded = (task.units + kWidth - 1) / kWidth * kWidth;
  const float* x[kRows];
  const float* h[kRows];
  float* sums[kRows];  // of the first panel
  Vec sum[kRows][kPanels][4];
#pragma GCC unroll 8
  for (std::size_t r = 0; r < kRows; ++r) {
    if constexpr (kPart != StepPart::kRest) x[r] = task.x[row + r];
    if constexpr (kPart != StepPart::kInputs) h[r] = task.h[row + r];
    if constexpr (kPart != StepPart::kWhole) sums[r] = task.sums + 4 * ((row + r) * padded + panel * kWidth);
#pragma GCC unroll 8
    for (std::size_t p = 0; p < kPanels; ++p) {
#pragma GCC unroll 8
      for (std::size_t g = 0; g < 4; ++g) {
        const float* const first = kPart == StepPart::kRest ? sums[r] + p * 4 * kWidth : weights + p * stride;
        sum[r][p][g] = Load(first + g * kWidth);
      }
    }
  }
  const float* const input_weights = weights + kFirst * kWidth;
  const float* const hidden_weights = input_weights + task.input_terms * Cell::kGates * kWidth;
  if constexpr (kPart != StepPart::kRest) {
    Accumulate<kRows, kPanels, Cell, Term>(sum, x, input_weights, stride, task.input_terms, Cell::kInputSum);
  }
  if constexpr (kPart == StepPart::kInputs) {
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
#pragma GCC unroll 16
      for (std::size_t i = 0; i < 4 * kPanels; ++i) Store(sums[r] + i * kWidth, sum[r][i / 4][i % 4]);
    }
    return;
  }
  Accumulate<kRows, kPanels, Cell, Term>(sum, h, hidden_weights, stride, task.hidden_terms, Cell::kHiddenSum);

#pragma GCC unroll 8
  for (std::size_t p = 0; p < kPanels; ++p) {
    const std::size_t unit = (panel + p) * kWidth;
#pragma GCC unroll 8
    for (std::size_t r = 0; r < kRows; ++r) {
      float* const state = task.states[row + r];
      const Vec next = Cell::Output(sum[r][p], weights + p * stride + 4 * kWidth, state, unit, task);
      if (task.hidden == nullptr) {
        StorePart(state + unit, next, task.units - unit);
      } else {
        Store(task.hidden + (row + r) * padded + unit, next);
      }
    }
  }
}

constexpr std::size_t kFetchAhead = 2 * kTileRows;

void FetchStates(const StepTask& task, std::size_t first, std::size_t rows) {
  constexpr std::size_t kLine = 64 / sizeof(float);
  for (std::size_t row = first; row < first + rows && row < task.rows_ahead; ++row) {
    for (std::size_t i = 0; i < task.state_floats; i += kLine) __builtin_prefetch(task.states[row] + i, 1);
  }
}

// All rows for kPanels panels: tiles of full height, then one that is lower. The first panels of a step fetch
// the states of later rows, which may lie anywhere in a large table.
template <std::size_t kPanels, typename Cell, typename Term, StepPart kPart, std::size_t kRows>
void Rows(const StepTask& task, std::size_t panel, std::size_t row, std::size_t fetch) {
  for (; row + kRows <= task.rows; row += kRows) {
    if (row < fetch) FetchStates(task, row + kFetchAhead, kRows);
    Tile<kRows, kPanels, Cell, Term, kPart>(task, row, panel);
  }
  if constexpr (kRows > 1) Rows<kPanels, Cell, Term, kPart, kRows - 1>(task, panel, row, fetch);
}

// Panels that one tile takes: few rows leave registers for several at once, which hides the latency of the
// multiply-adds.
std::size_t PanelsTogether(std::size_t rows) { return rows == 1 ? kTilePanels : rows == 2 ? 2 : 1; }

template <typename Cell, typename Term, StepPart kPart>
void Steps(const StepTask& task) {
  const std::size_t panels = (task.units + kWidth - 1) / kWidth;
  const std::size_t together = PanelsTogether(task.rows);
  std::size_t fetch = task.rows_ahead > kFetchAhead ? task.rows_ahead - kFetchAhead : 0;
  std::size_t done = 0;
  while (done < panels) {
    const std::size_t count = panels - done < together ? panels - done : together;
    const std::size_t panel = task.backward ? panels - done - count : done;
    switch (count) {
      case 4:
        Rows<4, Cell, Term, kPart, 1>(task, panel, 0, fetch);
        break;
      case 3:
        Rows<3, Cell, Term, kPart, 1>(task, panel, 0, fetch);
        break;
      case 2:
        Rows<2, Cell, Term, kPart, 2>(task, panel, 0, fetch);
        break;
      default:
        Rows<1, Cell, Term, kPart, kTileRows>(task, panel, 0, fetch);
    }
    done += count;
    fetch = 0;
  }
}

template <typename Cell, typename Term>
void Step(const StepTask& task) {
  switch (task.part) {
    case StepPart::kWhole:
      return Steps<Cell, Term, StepPart::kWhole>(task);
    case StepPart::kInputs:
      return Steps<Cell, Term, StepPart::kInputs>(task);
    case StepPart::kRest:
      return Steps<Cell, Term, StepPart::kRest>(task);
  }
}

template <typename Term>
constexpr StepForms kForms = {Step<Gru, Term>, Step<Lstm, Term>, Step<PeepholeLstm, Term>};

void ToPairs(const PairTask& task) {
  constexpr std::size_t kAhead = 12, kLine = 64 / sizeof(float);
  for (std::size_t r = 0; r < task.rows; ++r) {
    if (r + kAhead < task.rows_ahead) {
      for (std::size_t i = 0; i < task.floats; i += kLine) __builtin_prefetch(task.from[r + kAhead] + i, 1);
    }
    float* const pairs = task.to + r * task.stride;
    for (std::size_t i = 0; i < task.floats; i += kWidth) {
      StorePairs(pairs + i / 2, LoadPart(task.from[r] + i, task.floats - i));
    }
    task.to_rows[r] = pairs;
  }
}

}  // namespace

const StepFunctions kStepFunctions = {kWidth, PanelsTogether, kForms<Floats>, kForms<Pairs>, ToPairs};

}  // namespace tidegate::TIDEGATE_ISA
