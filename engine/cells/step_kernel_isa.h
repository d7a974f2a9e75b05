#pragma once

#include <cstddef>

namespace tidegate {

// One chunk of streams for StepKernel, for one instruction set; step_kernel_isa.cc is compiled once for each.
struct StepTask {
  const float* panels;    // packed weights, see step_kernel.h
  const float* const* x;  // [rows] rows of `inputs` floats
  float* const* states;   // [rows]
  float* hidden;          // [rows, units rounded up to whole vectors]: new hidden states;
                          // null if a tile takes all panels: into the states
  std::size_t rows;
  std::size_t rows_ahead;    // rows of this and all later chunks: what may be fetched early
  std::size_t state_floats;  // of one stream
  std::size_t inputs;
  std::size_t units;
  std::size_t width;  // of h in the states; the cell state of an LSTM lies behind it
  bool backward;      // walk the panels from the last to the first
};

struct StepFunctions {
  std::size_t width;                                 // units in a panel
  std::size_t (*panels_together)(std::size_t rows);  // panels of one tile, for so many rows
  void (*gru)(const StepTask& task);
  void (*lstm)(const StepTask& task);
  void (*peephole_lstm)(const StepTask& task);
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
#endif

}  // namespace tidegate
