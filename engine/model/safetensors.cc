// Reading and writing of the safetensors format; declared in safetensors.h.
#include "engine/model/safetensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>
#include <nlohmann/json.hpp>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "engine/model/json.h"

namespace tidegate {
namespace {

static_assert(std::endian::native == std::endian::little, "safetensors are little-endian");

constexpr std::size_t kLengthBytes = 8;
constexpr std::size_t kMaxHeaderBytes = 1 << 20;
constexpr std::size_t kMaxTensors = 4096;
constexpr std::size_t kMaxRank = 4;

absl::Status BadTensor(absl::string_view name, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("safetensors: tensor '", absl::CHexEscape(name), "': ", what));
}

enum class Type { kF32, kBf16, kI8 };
struct TypeInfo {
  Type type;
  const char* name;
  std::size_t bytes;
};
constexpr TypeInfo kTypes[] = {{Type::kF32, "F32", 4}, {Type::kBf16, "BF16", 2}, {Type::kI8, "I8", 1}};
constexpr char kScale[] = ".scale";  // after the name of an I8 tensor: that of its scales

// One tensor of the header, its bytes still to be read.
struct Entry {
  std::string name;
  TypeInfo type = kTypes[0];
  std::vector<std::size_t> shape;
  std::size_t begin = 0;
  std::size_t end = 0;
};

// A list of non-negative integers, at most `most` of them.
bool ReadIntegers(const nlohmann::json& json, std::size_t most, std::vector<std::size_t>& out) {
  if (!json.is_array() || json.size() > most) return false;
  for (const auto& item : json) {
    if (!item.is_number_unsigned()) return false;
    out.push_back(item.get<std::size_t>());
  }
  return true;
}

absl::StatusOr<Entry> ReadEntry(const std::string& name, const nlohmann::json& json, std::size_t data_bytes) {
  Entry entry;
  entry.name = name;
  if (!json.is_object() || json.size() != 3 || !json.contains("dtype") || !json.contains("shape") ||
      !json.contains("data_offsets")) {
    return BadTensor(name, "expected an object with dtype, shape and data_offsets");
  }
  const auto* const type = std::find_if(std::begin(kTypes), std::end(kTypes),
                                        [&](const TypeInfo& t) { return json["dtype"] == t.name; });
  if (type == std::end(kTypes)) {
    return BadTensor(name, absl::StrCat("dtype ", json["dtype"].dump(), "; F32, BF16 and I8 are read"));
  }
  entry.type = *type;
  std::vector<std::size_t> offsets;
  if (!ReadIntegers(json["shape"], kMaxRank, entry.shape))
    return BadTensor(name, "shape is not a list of at most 4 sizes");
  if (!ReadIntegers(json["data_offsets"], 2, offsets) || offsets.size() != 2) {
    return BadTensor(name, "data_offsets are not two offsets");
  }
  entry.begin = offsets[0];
  entry.end = offsets[1];
  if (entry.begin > entry.end || entry.end > data_bytes)
    return BadTensor(name, "data_offsets lie outside the file");
  std::size_t bytes = entry.type.bytes;
  for (const std::size_t size : entry.shape) {
    if (__builtin_mul_overflow(bytes, size, &bytes)) return BadTensor(name, "the shape's product overflows");
  }
  if (bytes != entry.end - entry.begin) {
    return BadTensor(name, absl::StrCat("shape ", ShapeString(entry.shape), " takes ", bytes,
                                        " bytes, data_offsets give ", entry.end - entry.begin));
  }
  return entry;
}

absl::StatusOr<std::vector<Entry>> ReadHeader(absl::string_view text, std::size_t data_bytes) {
  const auto json = ParseJson(text, 3);
  if (!json.ok())
    return absl::InvalidArgumentError(absl::StrCat("safetensors header: ", json.status().message()));
  if (!json->is_object()) return absl::InvalidArgumentError("safetensors header: expected an object");
  if (json->size() > kMaxTensors) {
    return absl::InvalidArgumentError(
        absl::StrCat("safetensors header: ", json->size(), " entries; at most ", kMaxTensors, " are read"));
  }
  std::vector<Entry> entries;
  for (const auto& [name, value] : json->items()) {
    if (name == "__metadata__") continue;
    auto entry = ReadEntry(name, value, data_bytes);
    if (!entry.ok()) return entry.status();
    entries.push_back(*std::move(entry));
  }
  std::sort(entries.begin(), entries.end(), [](const Entry& a, const Entry& b) { return a.begin < b.begin; });
  std::size_t covered = 0;
  for (const Entry& entry : entries) {
    if (entry.begin != covered) return BadTensor(entry.name, "overlaps its neighbour or leaves a gap");
    covered = entry.end;
  }
  if (covered != data_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("safetensors: tensors cover ", covered, " of ", data_bytes, " data bytes"));
  }
  return entries;
}

// Values as the bytes of a file.
template <typename T, typename Convert>
std::string Bytes(const std::vector<float>& values, Convert convert) {
  std::vector<T> converted(values.size());
  std::transform(values.begin(), values.end(), converted.begin(), convert);
  return {reinterpret_cast<const char*>(converted.data()), converted.size() * sizeof(T)};
}

std::string Bytes(const Tensor& tensor, Type type) {
  switch (type) {
    case Type::kF32:
      return Bytes<float>(tensor.values, [](float v) { return v; });
    case Type::kBf16:
      return Bytes<std::uint16_t>(tensor.values,
                                  [](float v) { return std::bit_cast<std::uint32_t>(v) >> 16; });
    case Type::kI8:
      return Bytes<std::int8_t>(tensor.values, [](float v) { return static_cast<std::int8_t>(v); });
  }
  return {};
}

void ReadValues(const char* bytes, Type type, std::vector<float>& values) {
  for (std::size_t i = 0; i < values.size(); ++i) {
    switch (type) {
      case Type::kF32:
        std::memcpy(&values[i], bytes + i * sizeof(float), sizeof(float));
        break;
      case Type::kBf16: {
        std::uint16_t upper = 0;
        std::memcpy(&upper, bytes + i * sizeof upper, sizeof upper);
        values[i] = std::bit_cast<float>(static_cast<std::uint32_t>(upper) << 16);
        break;
      }
      case Type::kI8:
        values[i] = static_cast<float>(static_cast<std::int8_t>(bytes[i]));
    }
  }
}

std::size_t RowLength(const Tensor& tensor) {
  return tensor.shape.empty() || tensor.shape[0] == 0 ? 0 : tensor.values.size() / tensor.shape[0];
}

// An int8 matrix as its units and their scales.
std::pair<Tensor, Tensor> Units(Tensor tensor) {
  const std::size_t count = RowLength(tensor);
  Tensor scale = ZeroTensor({tensor.shape[0]});
  for (std::size_t r = 0; r < tensor.shape[0]; ++r) {
    float* const row = tensor.values.data() + r * count;
    const int exponent = RowExponent(row, count);
    scale.values[r] = std::ldexp(1.0f, exponent);
    for (std::size_t i = 0; i < count; ++i) row[i] = std::ldexp(row[i], -exponent);
  }
  return {std::move(tensor), std::move(scale)};
}

// Multiplies the I8 tensors by their scales, which go.
absl::Status ApplyScales(const std::vector<Entry>& entries, Tensors& tensors) {
  for (const Entry& entry : entries) {
    if (entry.type.type != Type::kI8) continue;
    const auto found = tensors.find(entry.name);
    if (found == tensors.end())
      return BadTensor(entry.name, "is I8 and the scales of another tensor; expected F32");
    Tensor& tensor = found->second;
    const auto scale = tensors.find(entry.name + kScale);
    if (tensor.shape.empty() || scale == tensors.end() ||
        scale->second.shape != std::vector<std::size_t>{tensor.shape[0]}) {
      return BadTensor(entry.name, "is I8 and has no tensor of scales, one for each row, beside it");
    }
    const std::size_t count = RowLength(tensor);
    for (std::size_t r = 0; r < tensor.shape[0]; ++r) {
      for (std::size_t i = 0; i < count; ++i) tensor.values[r * count + i] *= scale->second.values[r];
    }
    tensors.erase(scale);
  }
  return absl::OkStatus();
}

absl::Status CheckFinite(const std::string& name, const Tensor& tensor) {
  const auto bad =
      std::find_if_not(tensor.values.begin(), tensor.values.end(), [](float v) { return std::isfinite(v); });
  if (bad == tensor.values.end()) return absl::OkStatus();
  return BadTensor(name, absl::StrCat("value ", bad - tensor.values.begin(), " is not finite"));
}

}  // namespace

std::string WriteSafetensors(const Tensors& tensors, Precision precision) {
  nlohmann::json header = nlohmann::json::object();
  std::string data;
  const auto add = [&](const std::string& name, const Tensor& tensor, Type type) {
    const std::size_t offset = data.size();
    data += Bytes(tensor, type);
    const auto* const info =
        std::find_if(std::begin(kTypes), std::end(kTypes), [&](const TypeInfo& t) { return t.type == type; });
    header[name] = {{"dtype", info->name}, {"shape", tensor.shape}, {"data_offsets", {offset, data.size()}}};
  };
  for (const auto& [name, tensor] : tensors) {
    if (precision == Precision::kF32 || !IsReduced(name, tensor)) {
      add(name, tensor, Type::kF32);
    } else if (precision == Precision::kBf16) {
      add(name, tensor, Type::kBf16);
    } else {
      const auto [units, scale] = Units(tensor);
      add(name, units, Type::kI8);
      add(name + kScale, scale, Type::kF32);
    }
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data starts at a multiple of 8
  const std::uint64_t length = text.size();
  std::string bytes(reinterpret_cast<const char*>(&length), kLengthBytes);
  return bytes + text + data;
}

absl::StatusOr<Tensors> ParseSafetensors(absl::string_view bytes) {
  std::uint64_t length = 0;
  if (bytes.size() < kLengthBytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("safetensors: ", bytes.size(), " bytes are too few for a header"));
  }
  std::memcpy(&length, bytes.data(), kLengthBytes);
  if (length > kMaxHeaderBytes || length > bytes.size() - kLengthBytes) {
    return absl::InvalidArgumentError(absl::StrCat("safetensors: header of ", length, " bytes in a file of ",
                                                   bytes.size(), "; at most ", kMaxHeaderBytes, " are read"));
  }
  const absl::string_view data = bytes.substr(kLengthBytes + length);
  const auto entries = ReadHeader(bytes.substr(kLengthBytes, length), data.size());
  if (!entries.ok()) return entries.status();
  Tensors tensors;
  for (const Entry& entry : *entries) {
    Tensor& tensor = tensors[entry.name];
    tensor.shape = entry.shape;
    tensor.values.resize((entry.end - entry.begin) / entry.type.bytes);
    ReadValues(data.data() + entry.begin, entry.type.type, tensor.values);
  }
  if (auto s = ApplyScales(*entries, tensors); !s.ok()) return s;
  for (const auto& [name, tensor] : tensors) {
    if (auto s = CheckFinite(name, tensor); !s.ok()) return s;
  }
  return tensors;
}

}  // namespace tidegate
