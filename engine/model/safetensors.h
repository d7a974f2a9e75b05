#pragma once

#include <cstddef>
#include <string>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "engine/tensor/precision.h"
#include "engine/tensor/tensors.h"

namespace tidegate {

// The bytes of a safetensors file holding `tensors`: those that IsReduced names in `precision`, to which they
// must have been rounded, as BF16, or as I8 with a further tensor `<name>.scale` [rows] of F32; the others as
// F32. Equal tensors give equal bytes. Format: https://github.com/huggingface/safetensors (README, "Format").
std::string WriteSafetensors(const Tensors& tensors, Precision precision = Precision::kF32);

// Parses the bytes of a safetensors file; I8 tensors come multiplied by their scales. InvalidArgument with
// the reason: any departure from the format, a dtype other than F32, BF16 and I8, an I8 without its scales, a
// value that is not finite, a header over 1 MiB, over 4,096 tensors, rank over 4.
absl::StatusOr<Tensors> ParseSafetensors(absl::string_view bytes);

}  // namespace tidegate
