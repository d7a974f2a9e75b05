#include "engine/tensor/precision.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

constexpr float kMostUnits = 127;
constexpr int kLeastExponent = -100;  // far above where floats lose bits

void ReduceRow(Precision precision, float* row, std::size_t count) {
  if (precision == Precision::kBf16) {
    std::transform(row, row + count, row, RoundToBf16);
    return;
  }
  const int exponent = RowExponent(row, count);
  for (std::size_t i = 0; i < count; ++i) {
    const float units = std::nearbyint(std::ldexp(row[i], -exponent));
    row[i] = std::ldexp(std::clamp(units, -kMostUnits, kMostUnits), exponent);
  }
}

}  // namespace

const char* PrecisionName(Precision precision) {
  switch (precision) {
    case Precision::kF32:
      return "f32";
    case Precision::kBf16:
      return "bf16";
    case Precision::kInt8:
      return "int8";
  }
  return "";
}

std::optional<Precision> FindPrecision(absl::string_view name) {
  for (const Precision precision : {Precision::kF32, Precision::kBf16, Precision::kInt8}) {
    if (name == PrecisionName(precision)) return precision;
  }
  return std::nullopt;
}

bool IsReduced(absl::string_view name, const Tensor& tensor) {
  return tensor.shape.size() >= 2 && absl::StrContains(name, "weight") &&
         (absl::StartsWith(name, "layers.") || absl::StartsWith(name, "head."));
}

float RoundToBf16(float value) {
  const auto bits = std::bit_cast<std::uint32_t>(value);
  if (std::isnan(value)) return value;
  return std::bit_cast<float>((bits + 0x7fff + ((bits >> 16) & 1)) & 0xffff0000u);
}

int RowExponent(const float* row, std::size_t count) {
  float largest = 0;
  for (std::size_t i = 0; i < count; ++i) largest = std::max(largest, std::abs(row[i]));
  int exponent = 0;
  std::frexp(largest / kMostUnits, &exponent);  // largest / 127 in [2^(e-1), 2^e)
  if (largest <= std::ldexp(kMostUnits, exponent - 1)) --exponent;
  return std::max(exponent, kLeastExponent);
}

absl::Status Reduce(Precision precision, Tensors& tensors) {
  if (precision == Precision::kF32) return absl::OkStatus();
  for (auto& [name, tensor] : tensors) {
    if (!IsReduced(name, tensor) || tensor.values.empty()) continue;
    const std::size_t rows = tensor.shape[0], count = rows == 0 ? 0 : tensor.values.size() / rows;
    for (std::size_t r = 0; r < rows; ++r) ReduceRow(precision, tensor.values.data() + r * count, count);
    for (const float value : tensor.values) {
      if (std::isfinite(value)) continue;
      return absl::InvalidArgumentError(
          absl::StrCat("tensor '", name, "': a weight is too large for ", PrecisionName(precision)));
    }
  }
  return absl::OkStatus();
}

absl::Status CheckReduced(Precision precision, const Tensors& tensors) {
  if (precision == Precision::kF32) return absl::OkStatus();
  Tensors reduced = tensors;
  if (auto s = Reduce(precision, reduced); !s.ok()) return s;
  for (const auto& [name, tensor] : tensors) {
    if (tensor.values == reduced.at(name).values) continue;
    return absl::InvalidArgumentError(absl::StrCat("tensor '", name, "' holds values that are not ",
                                                   PrecisionName(precision),
                                                   "; convert the f32 model again"));
  }
  return absl::OkStatus();
}

}  // namespace tidegate
