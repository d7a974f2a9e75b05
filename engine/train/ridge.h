#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "engine/tensor/matrix.h"

namespace tidegate {

// Least squares of many outputs at once from sums over the rows: what a ridge regression needs of its data,
// so that the rows need not be kept and sums of parts can be added (Hoerl & Kennard 1970). A plain value.
class RidgeSums {
 public:
  RidgeSums() = default;
  RidgeSums(std::size_t inputs, std::size_t outputs)
      : inputs_(inputs),
        outputs_(outputs),
        gram_(inputs * inputs),
        cross_(inputs * outputs),
        squares_(outputs) {}

  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return outputs_; }
  double rows() const { return rows_; }

  // x [R, inputs], y [R, outputs].
  void Add(const Matrix& x, const Matrix& y);
  void Add(const RidgeSums& other);

  // For other outputs of the same rows: forgets theirs, and adds the rows again with new ones.
  void ClearOutputs();
  void AddOutputs(const Matrix& x, const Matrix& y);

  // Those of the last `inputs` inputs and of the outputs numbered `outputs`.
  RidgeSums Part(std::size_t inputs, const std::vector<std::size_t>& outputs) const;

  // w [outputs, inputs]: for each output the least of |y - w x|^2 / rows + penalty sum_i dearness_i w_i^2.
  // penalty > 0; dearness [inputs], each > 0, or empty: all 1.
  Matrix Solve(double penalty, std::span<const double> dearness = {}) const;

  // [outputs]: sum over the rows of (y - w x)^2.
  std::vector<double> Errors(const Matrix& w) const;
  double Error(const Matrix& w) const;  // their sum

 private:
  std::size_t inputs_ = 0, outputs_ = 0;
  double rows_ = 0;
  std::vector<double> gram_;     // [inputs, inputs]: x x'
  std::vector<double> cross_;    // [outputs, inputs]: y x'
  std::vector<double> squares_;  // [outputs]: y y
};

}  // namespace tidegate
