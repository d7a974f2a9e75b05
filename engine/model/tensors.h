#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace tidegate {

// A named array of a model file: shape and float values, the last dimension running fastest.
struct Tensor {
  std::vector<std::size_t> shape;
  std::vector<float> values;
};

// Tensors by name, in the order of their names.
using Tensors = std::map<std::string, Tensor>;

// The tensor `name` with exactly `shape`. InvalidArgument: missing, or another shape.
absl::StatusOr<const Tensor*> FindTensor(const Tensors& tensors, const std::string& name,
                                         const std::vector<std::size_t>& shape);

// "[3, 5]".
std::string ShapeString(const std::vector<std::size_t>& shape);

// The bytes of a safetensors file holding `tensors` as F32. Equal tensors give equal bytes.
// Format: https://github.com/huggingface/safetensors (README, "Format").
std::string WriteSafetensors(const Tensors& tensors);

// Parses the bytes of a safetensors file. InvalidArgument with the reason: any departure from the format, a
// dtype other than F32, a value that is not finite, a header over 1 MiB, over 4,096 tensors, rank over 4.
absl::StatusOr<Tensors> ParseSafetensors(absl::string_view bytes);

}  // namespace tidegate
