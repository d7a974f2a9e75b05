#pragma once

#include <cstddef>

namespace tidegate {

// Activations, in place, vectorised with AVX-512, AVX2 or portable code, chosen once per process from
// what the CPU has. Largest absolute error of the activations 3e-7 over all floats. Results may differ in
// their last bits between instruction sets, never between runs or positions on one. Safe from any thread.

// "avx512_bf16", "avx512", "avx2" or "portable". The environment variable TIDEGATE_MAX_ISA, set to one of
// these before the first use, keeps the process from anything better: so that machines of several kinds agree
// in every bit.
const char* InstructionSet();

void Sigmoid(float* values, std::size_t n);  // 1 / (1 + exp(-v))
void Tanh(float* values, std::size_t n);
void Softplus(float* values, std::size_t n);  // log(1 + exp(v)); relative to max(1, v)

}  // namespace tidegate
