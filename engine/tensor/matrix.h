#pragma once

#include <cstddef>
#include <vector>

namespace tidegate {

// A dense row-major matrix of floats that owns its values. A plain value: copy and move freely.
struct Matrix {
  Matrix() = default;
  Matrix(std::size_t r, std::size_t c) : rows(r), cols(c), values(r * c) {}

  // Changes the shape; the values are unspecified afterwards. Reuses memory where it suffices.
  void Resize(std::size_t new_rows, std::size_t new_cols) {
    rows = new_rows;
    cols = new_cols;
    values.resize(new_rows * new_cols);
  }

  float* row(std::size_t r) { return values.data() + r * cols; }
  const float* row(std::size_t r) const { return values.data() + r * cols; }
  float* data() { return values.data(); }
  const float* data() const { return values.data(); }
  std::size_t size() const { return values.size(); }

  std::size_t rows = 0;
  std::size_t cols = 0;
  std::vector<float> values;  // [rows, cols]
};

}  // namespace tidegate
