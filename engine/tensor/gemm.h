#pragma once

#include <cstddef>

namespace tidegate {

enum class Transpose { kNo, kYes };

// c = a b, or c += a b. Row-major; a is [m, k] (stored [k, m] if transposed), b is [k, n] (stored [n, k] if
// transposed), each without padding between its rows; a's rows may be a_stride floats apart (0: no padding).
// Runs on oneDNN with as many OpenMP threads as the caller's thread has set. The bits may depend on the
// sizes: for training, never for a stream's step.
void Gemm(Transpose transpose_a, Transpose transpose_b, std::size_t m, std::size_t n, std::size_t k,
          const float* a, const float* b, float* c, bool accumulate, std::size_t a_stride = 0);

}  // namespace tidegate
