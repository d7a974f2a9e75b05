// Compiled once per instruction set with TIDEGATE_ISA as the namespace.
#include "tests/bench/bench_isa.h"

#include "engine/tensor/vec.h"

namespace tidegate::TIDEGATE_ISA {
namespace {

// Keeps a value in a register that the compiler knows nothing about.
inline void Opaque(Vec& v) { asm volatile("" : "+x"(v)); }

// FLOP of `rounds` rounds of independent chains of `operation`, `each` FLOP per element.
template <typename Operation>
double Chains(std::size_t rounds, double each, Operation operation) {
  constexpr std::size_t kChains = 12;  // more than latency times units in flight
  Vec sum[kChains];
  for (Vec& s : sum) s = Fill(1);
  Vec a = Fill(0.5f);
  Vec b = Fill(0.25f);
  Opaque(a);
  Opaque(b);
  for (std::size_t i = 0; i < rounds; ++i) {
#pragma GCC unroll 12
    for (std::size_t c = 0; c < kChains; ++c) sum[c] = operation(a, b, sum[c]);
  }
  for (Vec& s : sum) Opaque(s);
  return each * kChains * kWidth * static_cast<double>(rounds);
}

double MultiplyAdd(std::size_t rounds) {
  return Chains(rounds, 2, [](Vec a, Vec b, Vec sum) { return Fma(a, b, sum); });
}
double MultiplyBf16Pairs(std::size_t rounds) {
  return Chains(rounds, 4, [](Vec a, Vec b, Vec sum) { return MultiplyPairs(a, b, sum); });
}

void Read(const float* values, std::size_t count) {
  Vec a = Fill(0);
  Vec b = Fill(0);
  Vec c = Fill(0);
  Vec d = Fill(0);
  for (std::size_t i = 0; i + 4 * kWidth <= count; i += 4 * kWidth) {
    a = Max(a, Load(values + i));
    b = Max(b, Load(values + i + kWidth));
    c = Max(c, Load(values + i + 2 * kWidth));
    d = Max(d, Load(values + i + 3 * kWidth));
  }
  a = Max(Max(a, b), Max(c, d));
  Opaque(a);
}

void GruGates(const float* x, const float* u, float* h, std::size_t units) {
  for (std::size_t j = 0; j < units; j += kWidth) {
    const Vec r = SigmoidOf(Load(x + j) + Load(u + j));
    const Vec z = SigmoidOf(Load(x + units + j) + Load(u + units + j));
    const Vec n = TanhOf(Fma(r, Load(u + 2 * units + j), Load(x + 2 * units + j)));
    Store(h + j, Fma(z, Load(h + j) - n, n));
  }
}

void LstmGates(const float* x, const float* u, float* h, float* s, std::size_t units) {
  const auto gate = [&](std::size_t g, std::size_t j) {
    return Load(x + g * units + j) + Load(u + g * units + j);
  };
  for (std::size_t j = 0; j < units; j += kWidth) {
    const Vec cell = Fma(SigmoidOf(gate(1, j)), Load(s + j), SigmoidOf(gate(0, j)) * TanhOf(gate(2, j)));
    Store(s + j, cell);
    Store(h + j, SigmoidOf(gate(3, j)) * TanhOf(cell));
  }
}

}  // namespace

const BenchFunctions kBenchFunctions = {MultiplyAdd, MultiplyBf16Pairs, Read, GruGates, LstmGates};

}  // namespace tidegate::TIDEGATE_ISA
