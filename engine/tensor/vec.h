#pragma once

// A vector of floats of the widest kind that the including file is compiled for, with the few operations that
// the kernels need. For files that are compiled once per instruction set with TIDEGATE_ISA as their
// namespace: all of it lives in that namespace, so that the linker never mixes the copies. Multiply-adds are
// fused where the instruction set can and never otherwise (compile with -ffp-contract=off), so a kernel's
// bits follow from its text.

#include <cstddef>

#if defined(__AVX2__)
#include <immintrin.h>
#endif

namespace tidegate::TIDEGATE_ISA {
namespace {

#if defined(__AVX512F__)

using Vec = __m512;
constexpr std::size_t kWidth = 16;

inline Vec Load(const float* p) { return _mm512_loadu_ps(p); }
inline void Store(float* p, Vec v) { _mm512_storeu_ps(p, v); }
inline Vec Fill(float v) { return _mm512_set1_ps(v); }
inline Vec Fma(Vec a, Vec b, Vec c) { return _mm512_fmadd_ps(a, b, c); }
inline Vec Min(Vec a, Vec b) { return _mm512_min_ps(a, b); }  // b if a is NaN
inline Vec Max(Vec a, Vec b) { return _mm512_max_ps(a, b); }  // b if a is NaN
inline Vec Round(Vec v) { return _mm512_roundscale_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline Vec TimesPowerOf2(Vec v, Vec k) { return _mm512_scalef_ps(v, k); }  // k: whole numbers
inline Vec CopySign(Vec magnitude, Vec sign) {
  const __m512i bit = _mm512_set1_epi32(static_cast<int>(0x80000000));
  // Bitwise: the sign bit of `sign`, all others of `magnitude`.
  return _mm512_castsi512_ps(
      _mm512_ternarylogic_epi32(bit, _mm512_castps_si512(sign), _mm512_castps_si512(magnitude), 0xca));
}

#elif defined(__AVX2__)

using Vec = __m256;
constexpr std::size_t kWidth = 8;

inline Vec Load(const float* p) { return _mm256_loadu_ps(p); }
inline void Store(float* p, Vec v) { _mm256_storeu_ps(p, v); }
inline Vec Fill(float v) { return _mm256_set1_ps(v); }
inline Vec Fma(Vec a, Vec b, Vec c) { return _mm256_fmadd_ps(a, b, c); }
inline Vec Min(Vec a, Vec b) { return _mm256_min_ps(a, b); }
inline Vec Max(Vec a, Vec b) { return _mm256_max_ps(a, b); }
inline Vec Round(Vec v) { return _mm256_round_ps(v, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC); }
inline Vec TimesPowerOf2(Vec v, Vec k) {
  const __m256i exponent = _mm256_slli_epi32(_mm256_cvtps_epi32(k), 23);
  return _mm256_castsi256_ps(_mm256_add_epi32(_mm256_castps_si256(v), exponent));
}
inline Vec CopySign(Vec magnitude, Vec sign) {
  const Vec bit = _mm256_set1_ps(-0.0f);
  return _mm256_or_ps(_mm256_and_ps(bit, sign), _mm256_andnot_ps(bit, magnitude));
}

#else

// GCC's and clang's vector extension: four floats, which every 64-bit target has registers for.
typedef float Vec __attribute__((vector_size(16)));
typedef int IntVec __attribute__((vector_size(16)));
constexpr std::size_t kWidth = 4;

inline Vec Load(const float* p) {
  Vec v;
  __builtin_memcpy(&v, p, sizeof v);
  return v;
}
inline void Store(float* p, Vec v) { __builtin_memcpy(p, &v, sizeof v); }
inline Vec Fill(float v) { return Vec{v, v, v, v}; }
inline Vec Fma(Vec a, Vec b, Vec c) { return a * b + c; }  // rounded twice
inline Vec Min(Vec a, Vec b) { return a < b ? a : b; }
inline Vec Max(Vec a, Vec b) { return a > b ? a : b; }
inline Vec Round(Vec v) {
  const Vec rounder = Fill(12582912.0f);  // 1.5 * 2^23: adding it leaves no room for a fraction
  return (v + rounder) - rounder;
}
inline Vec TimesPowerOf2(Vec v, Vec k) {
  return (Vec)((IntVec)v + (__builtin_convertvector(k, IntVec) << 23));
}
inline Vec CopySign(Vec magnitude, Vec sign) {
  const IntVec bit = (IntVec)Fill(-0.0f);
  return (Vec)(((IntVec)sign & bit) | ((IntVec)magnitude & ~bit));
}

#endif

// Kernels work on tiles: of rows by panels (vectors of outputs), as many of either as the registers hold
// accumulators for, and several at once to hide the latency of the multiply-adds.
#if defined(__AVX512F__)
constexpr std::size_t kTileRows = 6;
constexpr std::size_t kTilePanels = 4;
#else
constexpr std::size_t kTileRows = 3;
constexpr std::size_t kTilePanels = 3;
#endif

// Pairs: every element holds two bf16, the first in the lower half. A bf16 is the upper half of a float.
//   MultiplyPairs: sum + a.first * b.first + a.second * b.second, in f32
//   StorePairs: rounds kWidth floats to bf16, to nearest, and stores them as kWidth / 2 pairs; a NaN stays
//   one
#if defined(__AVX512BF16__)
inline Vec MultiplyPairs(Vec a, Vec b, Vec sum) { return _mm512_dpbf16_ps(sum, (__m512bh)a, (__m512bh)b); }
inline void StorePairs(float* p, Vec v) {
  _mm256_storeu_si256(reinterpret_cast<__m256i*>(p), (__m256i)_mm512_cvtneps_pbh(v));
}
#else
#if defined(__AVX512F__)
inline Vec Second(Vec v) {
  return _mm512_castsi512_ps(
      _mm512_and_si512(_mm512_castps_si512(v), _mm512_set1_epi32(static_cast<int>(0xffff0000))));
}
inline Vec First(Vec v) { return _mm512_castsi512_ps(_mm512_slli_epi32(_mm512_castps_si512(v), 16)); }
#elif defined(__AVX2__)
inline Vec Second(Vec v) {
  return _mm256_and_ps(v, _mm256_castsi256_ps(_mm256_set1_epi32(static_cast<int>(0xffff0000))));
}
inline Vec First(Vec v) { return _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_castps_si256(v), 16)); }
#else
inline Vec Second(Vec v) { return (Vec)((IntVec)v & static_cast<int>(0xffff0000)); }
inline Vec First(Vec v) { return (Vec)((IntVec)v << 16); }
#endif
inline Vec MultiplyPairs(Vec a, Vec b, Vec sum) {
  return Fma(Second(a), Second(b), Fma(First(a), First(b), sum));
}
inline void StorePairs(float* p, Vec v) {
  unsigned bits[kWidth];
  unsigned short halves[kWidth];
  __builtin_memcpy(bits, &v, sizeof v);
  for (std::size_t i = 0; i < kWidth; ++i) {
    const bool is_nan = (bits[i] & 0x7fffffff) > 0x7f800000;
    const unsigned rounded = is_nan ? bits[i] | 0x400000 : bits[i] + 0x7fff + ((bits[i] >> 16) & 1);
    halves[i] = static_cast<unsigned short>(rounded >> 16);
  }
  __builtin_memcpy(p, halves, sizeof halves);
}
#endif

// The first n floats as a vector, the rest zero; and back. n may exceed the width.
#if defined(__AVX512F__)
inline __mmask16 FirstLanes(std::size_t n) {
  return static_cast<__mmask16>(n >= kWidth ? 0xffff : (1u << n) - 1);
}
inline Vec LoadPart(const float* p, std::size_t n) { return _mm512_maskz_loadu_ps(FirstLanes(n), p); }
inline void StorePart(float* p, Vec v, std::size_t n) { _mm512_mask_storeu_ps(p, FirstLanes(n), v); }
#else
inline Vec LoadPart(const float* p, std::size_t n) {
  if (n >= kWidth) return Load(p);
  float part[kWidth] = {};
  for (std::size_t i = 0; i < n; ++i) part[i] = p[i];
  return Load(part);
}
inline void StorePart(float* p, Vec v, std::size_t n) {
  if (n >= kWidth) return Store(p, v);
  float part[kWidth];
  Store(part, v);
  for (std::size_t i = 0; i < n; ++i) p[i] = part[i];
}
#endif

// 2^v for v in [-125, 125], relative error 3e-7 and that of v's own rounding: v = k + r with |r| <= 1/2; 2^r
// by its minimax polynomial of degree 5, times 2^k. Pairs of terms shorten the chain of dependent operations.
inline Vec Exp2(Vec v) {
  const Vec k = Round(v);
  const Vec r = v - k;
  const Vec square = r * r;
  const Vec low = Fma(Fill(0.693147004f), r, Fill(1));
  const Vec middle = Fma(Fill(0.0555073395f), r, Fill(0.240222424f));
  const Vec high = Fma(Fill(0.00132647087f), r, Fill(0.00967151113f));
  return TimesPowerOf2(Fma(Fma(high, square, middle), square, low), k);
}

constexpr float kLog2E = 1.44269504088896341f;

// exp(-v), v first brought to where the result lies in [2^-limit, 2^limit]. NaN gives a number.
inline Vec ExpMinus(Vec v, float limit) {
  return Exp2(Max(Min(v * Fill(-kLog2E), Fill(limit)), Fill(-limit)));
}

// A quotient; kernels join several of them to divide once.
struct Fraction {
  Vec over;
  Vec under;  // in [1, 2] for a tanh
};

// tanh(v) = (1 - e) / (1 + e) with e = exp(-2 |v|), and the sign of v. NaN gives a number.
inline Fraction TanhFraction(Vec v) {
  const Vec one = Fill(1);
  const Vec e = Exp2(Max(CopySign(v * Fill(2 * kLog2E), Fill(-1)), Fill(-125)));
  return {CopySign(one - e, v), one + e};
}
inline Vec TanhOf(Vec v) {
  const Fraction tanh = TanhFraction(v);
  return tanh.over / tanh.under;
}

// 1 / (1 + exp(-v)). NaN gives a number.
inline Vec SigmoidOf(Vec v) {
  const Vec one = Fill(1);
  return one / (one + ExpMinus(v, 125));
}

// log(1 + exp(v)) = max(v, 0) + log(1 + t) with t = exp(-|v|); log(1 + t) = 2 artanh(s) with s = t / (2 + t)
// <= 1/3, by its power series. NaN gives a number.
inline Vec SoftplusOf(Vec v) {
  const Vec t = Exp2(Max(CopySign(v * Fill(kLog2E), Fill(-1)), Fill(-125)));
  const Vec s = t / (Fill(2) + t);
  const Vec square = s * s;
  Vec p = Fill(2.0f / 13);
  p = Fma(p, square, Fill(2.0f / 11));
  p = Fma(p, square, Fill(2.0f / 9));
  p = Fma(p, square, Fill(2.0f / 7));
  p = Fma(p, square, Fill(2.0f / 5));
  p = Fma(p, square, Fill(2.0f / 3));
  p = Fma(p, square, Fill(2.0f));
  return Fma(p, s, Max(v, Fill(0)));
}

}  // namespace
}  // namespace tidegate::TIDEGATE_ISA
