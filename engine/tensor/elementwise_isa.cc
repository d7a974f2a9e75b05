// Compiled once per instruction set with TIDEGATE_ISA as the namespace. Includes nothing with inline
// functions: the linker might keep their AVX-512 copy for everyone.
#include "engine/tensor/elementwise_isa.h"

namespace tidegate::TIDEGATE_ISA {
namespace {

float FloatOfBits(int bits) { return __builtin_bit_cast(float, bits); }

// exp(v) for v in [-87, 88], relative error 2e-7: v = k ln 2 + r with |r| <= ln 2 / 2, exp(r) by its Taylor
// polynomial of degree 6, times 2^k put into the exponent bits.
inline float Exp(float v) {
  const float rounder = 12582912.0f;  // 1.5 * 2^23: adding it rounds to an integer in the low bits
  const float shifted = v * 1.44269504088896341f + rounder;
  const float k = shifted - rounder;
  const float r = (v - k * 0.693359375f) + k * 2.12194440e-4f;  // ln 2 in two parts
  float p = 1.0f / 720;
  p = p * r + 1.0f / 120;
  p = p * r + 1.0f / 24;
  p = p * r + 1.0f / 6;
  p = p * r + 0.5f;
  p = p * r + 1.0f;
  p = p * r + 1.0f;
  return p * FloatOfBits((static_cast<int>(k) + 127) << 23);
}

// NaN becomes the upper bound, so that no input leaves Exp's range.
inline float Clamp(float v, float low, float high) {
  const float not_above = v < high ? v : high;
  return not_above > low ? not_above : low;
}

inline float SigmoidOf(float v) { return 1.0f / (1.0f + Exp(Clamp(-v, -87.0f, 87.0f))); }

// tanh(v) = (1 - e) / (1 + e) with e = exp(-2 |v|), the sign put back.
inline float TanhOf(float v) {
  const float magnitude = v < 0 ? -v : v;
  const float e = Exp(Clamp(-2.0f * magnitude, -87.0f, 0.0f));
  const float t = (1.0f - e) / (1.0f + e);
  return v < 0 ? -t : t;
}

void SigmoidAll(float* values, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) values[i] = SigmoidOf(values[i]);
}

void TanhAll(float* values, std::size_t n) {
  for (std::size_t i = 0; i < n; ++i) values[i] = TanhOf(values[i]);
}

void GruGatesOf(const float* __restrict x, const float* __restrict u, float* __restrict h,
                std::size_t units) {
  for (std::size_t j = 0; j < units; ++j) {
    const float r = SigmoidOf(x[j] + u[j]);
    const float z = SigmoidOf(x[units + j] + u[units + j]);
    const float n = TanhOf(x[2 * units + j] + r * u[2 * units + j]);
    h[j] = n + z * (h[j] - n);
  }
}

void LstmGatesOf(const float* __restrict x, const float* __restrict u, float* __restrict h,
                 float* __restrict c, std::size_t units) {
  for (std::size_t j = 0; j < units; ++j) {
    const float i = SigmoidOf(x[j] + u[j]);
    const float f = SigmoidOf(x[units + j] + u[units + j]);
    const float g = TanhOf(x[2 * units + j] + u[2 * units + j]);
    const float o = SigmoidOf(x[3 * units + j] + u[3 * units + j]);
    c[j] = f * c[j] + i * g;
    h[j] = o * TanhOf(c[j]);
  }
}

#define TIDEGATE_TEXT(name) #name
#define TIDEGATE_NAME(name) TIDEGATE_TEXT(name)

}  // namespace

const ElementwiseKernels kKernels = {TIDEGATE_NAME(TIDEGATE_ISA), SigmoidAll, TanhAll, GruGatesOf,
                                     LstmGatesOf};

}  // namespace tidegate::TIDEGATE_ISA
