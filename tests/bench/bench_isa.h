#pragma once

#include <cstddef>

namespace tidegate {

// The loops behind roofline.h and the gate passes of onednn_peers.h, compiled once per instruction set.
struct BenchFunctions {
  double (*multiply_add)(std::size_t rounds);            // returns the FLOP done
  double (*multiply_pairs)(std::size_t rounds);          // the same, products of bf16 pairs
  void (*read)(const float* values, std::size_t count);  // count: a multiple of 4 vectors
  // Gates of one stream from its two products, gates as in PyTorch; units: a multiple of 16.
  void (*gru_gates)(const float* x, const float* u, float* h, std::size_t units);
  void (*lstm_gates)(const float* x, const float* u, float* h, float* s, std::size_t units);
};

namespace portable {
extern const BenchFunctions kBenchFunctions;
}
#if defined(__x86_64__)
namespace avx2 {
extern const BenchFunctions kBenchFunctions;
}
namespace avx512 {
extern const BenchFunctions kBenchFunctions;
}
namespace avx512_bf16 {
extern const BenchFunctions kBenchFunctions;
}
#endif

// Those of the instruction set that the engine chose.
const BenchFunctions& ChosenBenchFunctions();

}  // namespace tidegate
