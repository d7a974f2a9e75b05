#include "engine/tensor/elementwise.h"

#include <cstdlib>

#include "absl/strings/match.h"
#include "absl/strings/string_view.h"
#include "engine/tensor/tensor_isa.h"

namespace tidegate {

const TensorKernels& KernelsUpTo([[maybe_unused]] absl::string_view at_most) {
#if defined(__x86_64__)
  const bool has_avx512 = __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
                          __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512bw");
  const bool has_avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (has_avx512 && __builtin_cpu_supports("avx512bf16") && at_most == kBestIsa) {
    return avx512_bf16::kTensorKernels;
  }
  if (has_avx512 && absl::StartsWith(at_most, "avx512")) return avx512::kTensorKernels;
  if (has_avx2 && absl::StartsWith(at_most, "avx")) return avx2::kTensorKernels;
#endif
  return portable::kTensorKernels;
}

const TensorKernels& ChosenKernels() {
  static const TensorKernels& chosen = []() -> const TensorKernels& {
    const char* const at_most = std::getenv("TIDEGATE_MAX_ISA");
    return KernelsUpTo(at_most == nullptr ? kBestIsa : at_most);
  }();
  return chosen;
}

const char* InstructionSet() { return ChosenKernels().instruction_set; }
void Sigmoid(float* values, std::size_t n) { ChosenKernels().sigmoid(values, n); }
void Tanh(float* values, std::size_t n) { ChosenKernels().tanh(values, n); }
void Softplus(float* values, std::size_t n) { ChosenKernels().softplus(values, n); }

}  // namespace tidegate
