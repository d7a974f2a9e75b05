#pragma once

#include <cstddef>

#include "absl/strings/string_view.h"

namespace tidegate {

// A batch for PackedLinear.
struct LinearTask {
  const float* panels;    // packed weights, see packed_linear.h
  const float* const* x;  // [rows] rows of `inputs` floats
  float* y;               // [rows, outputs]
  std::size_t rows, inputs, outputs;
};

// The functions of elementwise.h and packed_linear.h for one instruction set; tensor_isa.cc is compiled once
// for each.
struct TensorKernels {
  const char* instruction_set;
  std::size_t width;  // floats in a vector
  void (*sigmoid)(float* values, std::size_t n);
  void (*tanh)(float* values, std::size_t n);
  void (*softplus)(float* values, std::size_t n);
  void (*linear)(const LinearTask& task);
};

namespace portable {
extern const TensorKernels kTensorKernels;
}
#if defined(__x86_64__)
namespace avx2 {
extern const TensorKernels kTensorKernels;
}
namespace avx512 {
extern const TensorKernels kTensorKernels;
}
namespace avx512_bf16 {
extern const TensorKernels kTensorKernels;
}
#endif

// Those of the best instruction set that this CPU has, and no better than `at_most`, one of
// InstructionSet()'s.
const TensorKernels& KernelsUpTo(absl::string_view at_most);
constexpr absl::string_view kBestIsa = "avx512_bf16";

// The same for the whole life of the process: up to TIDEGATE_MAX_ISA.
const TensorKernels& ChosenKernels();

}  // namespace tidegate
