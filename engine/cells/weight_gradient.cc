#include "engine/cells/weight_gradient.h"

#include <algorithm>

#include "engine/tensor/gemm.h"

namespace tidegate {

void Product(const Tensors& tensors, const std::string& weight, const std::string& bias, const float* x,
             std::size_t rows, Matrix& product) {
  const Tensor& w = tensors.at(weight);
  const auto b = tensors.find(bias);
  product.Resize(rows, w.shape[0]);
  if (b != tensors.end()) {
    for (std::size_t r = 0; r < rows; ++r) std::ranges::copy(b->second.values, product.row(r));
  }
  Gemm(Transpose::kNo, Transpose::kYes, rows, w.shape[0], w.shape[1], x, w.values.data(), product.data(),
       b != tensors.end());
}

void AddProductGradient(const std::string& weight, const std::string& bias, const float* x,
                        const Matrix& d_product, Tensors& gradients) {
  Tensor& w = gradients.at(weight);
  Gemm(Transpose::kYes, Transpose::kNo, w.shape[0], w.shape[1], d_product.rows, d_product.data(), x,
       w.values.data(), true);
  const auto b = gradients.find(bias);
  if (b != gradients.end()) AddColumnSums(d_product, b->second.values);
}

void BackThroughProduct(const Tensor& weight, const Matrix& d_product, Matrix& d_x) {
  d_x.Resize(d_product.rows, weight.shape[1]);
  Gemm(Transpose::kNo, Transpose::kNo, d_x.rows, d_x.cols, d_product.cols, d_product.data(),
       weight.values.data(), d_x.data(), false);
}

void AddColumnSums(const Matrix& m, std::vector<float>& sums) {
  for (std::size_t r = 0; r < m.rows; ++r) {
    for (std::size_t c = 0; c < m.cols; ++c) sums[c] += m.row(r)[c];
  }
}

}  // namespace tidegate
