#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/tensor/matrix.h"
#include "engine/tensor/tensors.h"

namespace tidegate {

// The products of a layer's weights with many rows at once, and back; for training. A weight is [O, I], a
// bias [O]; a bias that the tensors do not have counts as zero.

// product [R, O] = x W^T + b, for R rows x of I floats. Resizes `product`.
void Product(const Tensors& tensors, const std::string& weight, const std::string& bias, const float* x,
             std::size_t rows, Matrix& product);

// From d_product [R, O]: adds to the gradients of weight and bias.
void AddProductGradient(const std::string& weight, const std::string& bias, const float* x,
                        const Matrix& d_product, Tensors& gradients);

// d_x [R, I] = d_product W. Resizes d_x.
void BackThroughProduct(const Tensor& weight, const Matrix& d_product, Matrix& d_x);

// sums [cols] += the columns of m: the gradient of a bias from that of what it was added to.
void AddColumnSums(const Matrix& m, std::vector<float>& sums);

}  // namespace tidegate
