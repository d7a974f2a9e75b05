#include "engine/tensor/elementwise.h"

#include "engine/tensor/tensor_isa.h"

namespace tidegate {

const TensorKernels& ChosenKernels() {
  static const TensorKernels& chosen = []() -> const TensorKernels& {
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
        __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw")) {
      return avx512::kTensorKernels;
    }
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) return avx2::kTensorKernels;
#endif
    return portable::kTensorKernels;
  }();
  return chosen;
}

const char* InstructionSet() { return ChosenKernels().instruction_set; }
void Sigmoid(float* values, std::size_t n) { ChosenKernels().sigmoid(values, n); }
void Tanh(float* values, std::size_t n) { ChosenKernels().tanh(values, n); }
void Softplus(float* values, std::size_t n) { ChosenKernels().softplus(values, n); }

}  // namespace tidegate
