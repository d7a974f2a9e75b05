#include "engine/tensor/gemm.h"

#include <oneapi/dnnl/dnnl.h>

#include <algorithm>
#include <cassert>

namespace tidegate {

void Gemm(Transpose transpose_a, Transpose transpose_b, std::size_t m, std::size_t n, std::size_t k,
          const float* a, const float* b, float* c, bool accumulate, std::size_t a_stride) {
  if (k == 0 && !accumulate) std::fill_n(c, m * n, 0.0f);  // an empty sum; oneDNN refuses a stride of 0
  if (m == 0 || n == 0 || k == 0) return;
  const bool a_transposed = transpose_a == Transpose::kYes;
  const bool b_transposed = transpose_b == Transpose::kYes;
  // Row-major like ours, unlike BLAS: the leading dimension is the length of a stored row.
  [[maybe_unused]] const dnnl_status_t status =
      dnnl_sgemm(a_transposed ? 'T' : 'N', b_transposed ? 'T' : 'N', static_cast<dnnl_dim_t>(m),
                 static_cast<dnnl_dim_t>(n), static_cast<dnnl_dim_t>(k), 1.0f, a,
                 static_cast<dnnl_dim_t>(a_stride > 0   ? a_stride
                                         : a_transposed ? m
                                                        : k),
                 b, static_cast<dnnl_dim_t>(b_transposed ? k : n), accumulate ? 1.0f : 0.0f, c,
                 static_cast<dnnl_dim_t>(n));
  assert(status == dnnl_success);
}

}  // namespace tidegate
