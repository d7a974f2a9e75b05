#pragma once

#include <cstddef>

namespace tidegate {

// One chunk of streams for StepKernel, for one instruction set; step_kernel_isa.cc is compiled once for each.
struct StepTask {
  const float* panels;   // packed weights, see step_kernel.h
  const float* x;        // [rows, inputs]
  float* const* states;  // [rows]
  float* hidden;         // [rows, units rounded up to whole vectors]: new hidden states
  std::size_t rows;
  std::size_t inputs;
  std::size_t units;
  bool backward;  // walk the panels from the last to the first
};

struct StepFunctions {
  std::size_t width;  // units in a panel
  void (*gru)(const StepTask& task);
  void (*lstm)(const StepTask& task);
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
