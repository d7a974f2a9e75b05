#include <cstring>

#include "engine/tensor/elementwise.h"
#include "tests/bench/bench_isa.h"

namespace tidegate {

const BenchFunctions& ChosenBenchFunctions() {
#if defined(__x86_64__)
  if (std::strcmp(InstructionSet(), "avx512_bf16") == 0) return avx512_bf16::kBenchFunctions;
  if (std::strcmp(InstructionSet(), "avx512") == 0) return avx512::kBenchFunctions;
  if (std::strcmp(InstructionSet(), "avx2") == 0) return avx2::kBenchFunctions;
#endif
  return portable::kBenchFunctions;
}

}  // namespace tidegate
