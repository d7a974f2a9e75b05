// Reading and writing of the safetensors format; declared in safetensors.h.
#include "engine/model/safetensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
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

absl::Status Bad(absl::string_view name, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("safetensors: tensor '", absl::CHexEscape(name), "': ", what));
}

// One tensor of the header, its bytes still to be read.
struct Entry {
  std::string name;
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
    return Bad(name, "expected an object with dtype, shape and data_offsets");
  }
  if (json["dtype"] != "F32")
    return Bad(name, absl::StrCat("dtype ", json["dtype"].dump(), "; only F32 is read"));
  std::vector<std::size_t> offsets;
  if (!ReadIntegers(json["shape"], kMaxRank, entry.shape))
    return Bad(name, "shape is not a list of at most 4 sizes");
  if (!ReadIntegers(json["data_offsets"], 2, offsets) || offsets.size() != 2) {
    return Bad(name, "data_offsets are not two offsets");
  }
  entry.begin = offsets[0];
  entry.end = offsets[1];
  if (entry.begin > entry.end || entry.end > data_bytes)
    return Bad(name, "data_offsets lie outside the file");
  std::size_t bytes = sizeof(float);
  for (const std::size_t size : entry.shape) {
    if (__builtin_mul_overflow(bytes, size, &bytes)) return Bad(name, "the shape's product overflows");
  }
  if (bytes != entry.end - entry.begin) {
    return Bad(name, absl::StrCat("shape ", ShapeString(entry.shape), " takes ", bytes,
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
    if (entry.begin != covered) return Bad(entry.name, "overlaps its neighbour or leaves a gap");
    covered = entry.end;
  }
  if (covered != data_bytes) {
    return absl::InvalidArgumentError(
        absl::StrCat("safetensors: tensors cover ", covered, " of ", data_bytes, " data bytes"));
  }
  return entries;
}

}  // namespace

std::string WriteSafetensors(const Tensors& tensors) {
  nlohmann::json header = nlohmann::json::object();
  std::size_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const std::size_t end = offset + tensor.values.size() * sizeof(float);
    header[name] = {{"dtype", "F32"}, {"shape", tensor.shape}, {"data_offsets", {offset, end}}};
    offset = end;
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');  // so that the data starts at a multiple of 8
  const std::uint64_t length = text.size();
  std::string bytes(reinterpret_cast<const char*>(&length), kLengthBytes);
  bytes += text;
  for (const auto& [name, tensor] : tensors) {
    bytes.append(reinterpret_cast<const char*>(tensor.values.data()), tensor.values.size() * sizeof(float));
  }
  return bytes;
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
    tensor.values.resize((entry.end - entry.begin) / sizeof(float));
    if (!tensor.values.empty())
      std::memcpy(tensor.values.data(), data.data() + entry.begin, entry.end - entry.begin);
    const auto bad = std::find_if_not(tensor.values.begin(), tensor.values.end(),
                                      [](float v) { return std::isfinite(v); });
    if (bad != tensor.values.end()) {
      return Bad(entry.name, absl::StrCat("value ", bad - tensor.values.begin(), " is not finite"));
    }
  }
  return tensors;
}

}  // namespace tidegate
