#include "engine/tensor/elementwise.h"

#include "engine/tensor/elementwise_isa.h"

namespace tidegate {
namespace {

const ElementwiseKernels& Kernels() {
  static const ElementwiseKernels& chosen = []() -> const ElementwiseKernels& {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")) {
      return avx512::kKernels;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2::kKernels;
#endif
    return portable::kKernels;
  }();
  return chosen;
}

}  // namespace

const char* InstructionSet() { return Kernels().instruction_set; }
void Sigmoid(float* values, std::size_t n) { Kernels().sigmoid(values, n); }
void Tanh(float* values, std::size_t n) { Kernels().tanh(values, n); }

}  // namespace tidegate
