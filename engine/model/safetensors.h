#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/tensor/tensors.h"

namespace tidegate {

// The bytes of a safetensors file holding `tensors` as F32. Equal tensors give equal bytes.
// Format: https://github.com/huggingface/safetensors (README, "Format").
std::string WriteSafetensors(const Tensors& tensors);

// Parses the bytes of a safetensors file. InvalidArgument with the reason: any departure from the format, a
// dtype other than F32, a value that is not finite, a header over 1 MiB, over 4,096 tensors, rank over 4.
absl::StatusOr<Tensors> ParseSafetensors(absl::string_view bytes);

}  // namespace tidegate
