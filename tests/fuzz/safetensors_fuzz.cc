// Bytes as a safetensors file: what is taken can be written and comes back the same.

#include <gtest/gtest.h>

#include "engine/model/safetensors.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/tiny_model.h"

namespace tidegate {

std::vector<std::string> Seeds() {
  const ModelSpec spec = TinySpec();
  Tensors tensors = Model::ZeroParameters(spec);
  std::vector<std::string> seeds;
  for (const Precision precision : {Precision::kF32, Precision::kBf16, Precision::kInt8}) {
    seeds.push_back(WriteSafetensors(tensors, precision));
  }
  seeds.push_back(WriteSafetensors({{"a", {{2}, {1, -0.0f}}}, {"b", {{0, 3}, {}}}, {"c", {{}, {7}}}}));
  seeds.push_back(WriteSafetensors({}));
  return seeds;
}

void Fuzz(absl::string_view input) {
  const auto tensors = ParseSafetensors(input);
  if (!tensors.ok()) return Require(!tensors.status().message().empty(), "an error has a reason");
  for (const auto& [name, tensor] : *tensors) {
    Require(ZeroTensor(tensor.shape).values.size() == tensor.values.size(),
            "the shape is that of the values");
  }
  const std::string written = WriteSafetensors(*tensors);
  const auto again = ParseSafetensors(written);
  Require(again.ok(), "what is written can be read");
  Require(WriteSafetensors(*again) == written, "what is written and read again is the same");
}

}  // namespace tidegate
