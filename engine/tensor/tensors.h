#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

namespace tidegate {

// A named array of a model: shape and float values, the last dimension running fastest.
struct Tensor {
  std::vector<std::size_t> shape;
  std::vector<float> values;
};

// Tensors by name, in the order of their names.
using Tensors = std::map<std::string, Tensor>;

// Values of a tensor of this shape.
inline std::size_t ValuesOf(const std::vector<std::size_t>& shape) {
  std::size_t size = 1;
  for (const std::size_t n : shape) size *= n;
  return size;
}

// A tensor of zeros.
inline Tensor ZeroTensor(std::vector<std::size_t> shape) {
  const std::size_t size = ValuesOf(shape);
  return {std::move(shape), std::vector<float>(size)};
}

// Shapes of tensors by name.
using Shapes = std::map<std::string, std::vector<std::size_t>>;

inline Tensors ZeroTensors(const Shapes& shapes) {
  Tensors tensors;
  for (const auto& [name, shape] : shapes) tensors[name] = ZeroTensor(shape);
  return tensors;
}

// The tensor `name` with exactly `shape`. InvalidArgument: missing, or another shape.
absl::StatusOr<const Tensor*> FindTensor(const Tensors& tensors, const std::string& name,
                                         const std::vector<std::size_t>& shape);

// "[3, 5]".
std::string ShapeString(const std::vector<std::size_t>& shape);

// Those whose names begin with `prefix`, without it.
Tensors Below(const std::string& prefix, const Tensors& tensors);

}  // namespace tidegate
