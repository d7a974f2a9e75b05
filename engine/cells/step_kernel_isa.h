#pragma once

#include <cstddef>

namespace tidegate {

enum class StepPart {
  kWhole,
  kInputs,
  kRest
};  // kInputs: bias and inputs, into `sums`; kRest: from there on

// One chunk of streams for StepKernel, for one instruction set; step_kernel_isa.cc is compiled once for each.
struct StepTask {
  const float* panels;    // packed weights, see step_kernel.h
  const float* const* x;  // [rows] operands: rows of `input_terms` floats, or pairs (vec.h)
  const float* const* h;  // [rows] operands: rows of `hidden_terms`; of floats: the states themselves
  float* const* states;   // [rows]
  float* sums;            // [rows, 4 * units rounded up to whole vectors]; of kInputs and kRest
  float* hidden;          // [rows, units rounded up to whole vectors]: new hidden states;
                          // null: into the states, which no other panel reads
  StepPart part;
  std::size_t rows;
  std::size_t rows_ahead;    // rows of this and all later chunks: what may be fetched early
  std::size_t state_floats;  // of one stream
  std::size_t input_terms;
  std::size_t hidden_terms;
  std::size_t units;
  std::size_t width;  // of h in the states; the cell state of an LSTM lies behind it
  bool backward;      // walk the panels from the last to the first
};

// Rows of floats to be rounded to pairs of bf16; a missing last one is zero.
struct PairTask {
  const float* const* from;  // [rows] rows of `floats` floats
  float* to;                 // [rows, stride]
  const float** to_rows;     // [rows] set to the rows of `to`
  std::size_t rows;
  std::size_t rows_ahead;  // rows of `from` that may be fetched early
  std::size_t floats;
  std::size_t stride;  // pairs: at least those of whole vectors of floats
};

struct StepForms {
  void (*gru)(const StepTask& task);
  void (*lstm)(const StepTask& task);
  void (*peephole_lstm)(const StepTask& task);
};

struct StepFunctions {
  std::size_t width;                                 // units in a panel
  std::size_t (*panels_together)(std::size_t rows);  // panels of one tile, for so many rows
  StepForms floats;                                  // a term is a float
  StepForms pairs;                                   // a term is two bf16
  void (*to_pairs)(const PairTask& task);
};

namespace portable {
extern const StepFunctions kStepFunctions;
}
#if defined(__x86_64__)
namespace avx2 {
extern const StepFunctions kStepFunctions;
}
namespace avx512 {
extern const StepFunctions kStepFunctions;
}
namespace avx512_bf16 {
extern const StepFunctions kStepFunctions;
}
#endif

}  // namespace tidegate
