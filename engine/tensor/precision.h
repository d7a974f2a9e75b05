#pragma once

#include <cstddef>
#include <optional>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "engine/tensor/tensors.h"

namespace tidegate {

// How a model's weight matrices are stored and multiplied; a property of the model's file, never of the run.
enum class Precision {
  kF32,   // "f32": as trained
  kBf16,  // "bf16": rounded to 8 significant bits; the fused step of a GRU or LSTM rounds its operands x and
          // h likewise, multiplies exactly and sums in f32
  kInt8,  // "int8": a byte times a power of two for each row; such values are exact in bf16, so that the same
          // kernels serve them
};
const char* PrecisionName(Precision precision);
// Nothing: no precision has this name.
std::optional<Precision> FindPrecision(absl::string_view name);

// Whether the matrix or filter `tensor` of a model is stored in the model's precision: those of the layers
// and of the head. Biases, normalisations, embeddings, the linear path and the cycle stay f32.
bool IsReduced(absl::string_view name, const Tensor& tensor);

float RoundToBf16(float value);  // to nearest, ties to even

// Rounds what IsReduced names to `precision`. InvalidArgument: a value is too large for it.
absl::Status Reduce(Precision precision, Tensors& tensors);

// Whether Reduce(precision) would leave the values of the tensors as they are; InvalidArgument naming the
// first tensor of which it would not.
absl::Status CheckReduced(Precision precision, const Tensors& tensors);

// For int8: e of 2^e, the unit of one row of weights, the least with which 127 units reach its largest value.
int RowExponent(const float* row, std::size_t count);

}  // namespace tidegate
