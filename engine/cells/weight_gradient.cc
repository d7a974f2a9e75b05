#include "engine/cells/weight_gradient.h"

#include <algorithm>
#include <cassert>

#include "engine/tensor/gemm.h"

namespace tidegate {

void AddColumnSums(const Matrix& m, std::vector<float>& sums) {
  for (std::size_t r = 0; r < m.rows; ++r) {
    const float* row = m.row(r);
    for (std::size_t c = 0; c < m.cols; ++c) sums[c] += row[c];
  }
}

void InputProduct(const RecurrentWeights& weights, const Matrix& x, Matrix& product) {
  assert(product.rows == x.rows && product.cols == weights.input.rows && x.cols == weights.input.cols);
  for (std::size_t r = 0; r < x.rows; ++r) std::ranges::copy(weights.input_bias, product.row(r));
  Gemm(Transpose::kNo, Transpose::kYes, x.rows, product.cols, x.cols, x.data(), weights.input.data(),
       product.data(), true);
}

void AddWeightGradient(const RecurrentWeights& weights, const Matrix& x, const Matrix& hidden,
                       const Matrix& d_input, const Matrix& d_hidden, RecurrentWeights& gradient,
                       Matrix* d_x) {
  const std::size_t gate_floats = weights.input.rows, units = weights.units();
  Gemm(Transpose::kYes, Transpose::kNo, gate_floats, x.cols, x.rows, d_input.data(), x.data(),
       gradient.input.data(), true);
  Gemm(Transpose::kYes, Transpose::kNo, gate_floats, units, x.rows, d_hidden.data(), hidden.data(),
       gradient.hidden.data(), true);
  AddColumnSums(d_input, gradient.input_bias);
  AddColumnSums(d_hidden, gradient.hidden_bias);
  if (d_x == nullptr) return;
  d_x->Resize(x.rows, x.cols);
  Gemm(Transpose::kNo, Transpose::kNo, x.rows, x.cols, gate_floats, d_input.data(), weights.input.data(),
       d_x->data(), false);
}

}  // namespace tidegate
