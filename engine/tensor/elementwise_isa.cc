// Compiled once per instruction set with TIDEGATE_ISA as the namespace; includes nothing with inline
// functions outside that namespace.
#include "engine/tensor/elementwise_isa.h"

#include "engine/tensor/vec.h"

namespace tidegate::TIDEGATE_ISA {
namespace {

// Applies `function` to every value; the last, partial vector through a buffer.
template <typename Function>
void ForAll(float* values, std::size_t n, Function function) {
  std::size_t i = 0;
  for (; i + kWidth <= n; i += kWidth) Store(values + i, function(Load(values + i)));
  if (i == n) return;
  float part[kWidth] = {};
  for (std::size_t j = i; j < n; ++j) part[j - i] = values[j];
  Store(part, function(Load(part)));
  for (std::size_t j = i; j < n; ++j) values[j] = part[j - i];
}

void Sigmoid(float* values, std::size_t n) { ForAll(values, n, SigmoidOf); }
void Tanh(float* values, std::size_t n) { ForAll(values, n, TanhOf); }

#define TIDEGATE_TEXT(name) #name
#define TIDEGATE_NAME(name) TIDEGATE_TEXT(name)

}  // namespace

const ElementwiseKernels kKernels = {TIDEGATE_NAME(TIDEGATE_ISA), Sigmoid, Tanh};

}  // namespace tidegate::TIDEGATE_ISA
