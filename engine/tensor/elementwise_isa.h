#pragma once

#include <cstddef>

namespace tidegate {

// The functions of elementwise.h for one instruction set; elementwise_isa.cc is compiled once for each.
struct ElementwiseKernels {
  const char* instruction_set;
  void (*sigmoid)(float* values, std::size_t n);
  void (*tanh)(float* values, std::size_t n);
};

namespace portable {
extern const ElementwiseKernels kKernels;
}
#if defined(__x86_64__)
namespace avx2 {
extern const ElementwiseKernels kKernels;
}
namespace avx512 {
extern const ElementwiseKernels kKernels;
}
#endif

}  // namespace tidegate
