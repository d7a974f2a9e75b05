#pragma once

#include <vector>

#include "engine/cells/recurrent_weights.h"
#include "engine/tensor/matrix.h"

namespace tidegate {

// What the gradients of all cells share: the products with the weights over a whole sequence, R = T * B rows.

// product [R, G*H] = x W^T + b, for x [R, I]. Requires product's shape.
void InputProduct(const RecurrentWeights& weights, const Matrix& x, Matrix& product);

// sums [cols] += the columns of m: the gradient of a bias from that of what it was added to.
void AddColumnSums(const Matrix& m, std::vector<float>& sums);

// From the gradients of the two products, d_input [R, G*H] of W x + b and d_hidden [R, G*H] of U h + c: adds
// to `gradient` and sets d_x [R, I] unless null. hidden: the rows from 0 are the h of each row before its
// step.
void AddWeightGradient(const RecurrentWeights& weights, const Matrix& x, const Matrix& hidden,
                       const Matrix& d_input, const Matrix& d_hidden, RecurrentWeights& gradient,
                       Matrix* d_x);

}  // namespace tidegate
