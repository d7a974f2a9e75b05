// Text as a model.json: a spec that is taken can be written and comes back the same, and a model without
// weights is refused for every one of them.

#include "engine/model/model.h"
#include "engine/model/spec.h"
#include "tests/fuzz/fuzz_target.h"
#include "tests/support/tiny_model.h"

namespace tidegate {

std::vector<std::string> Seeds() {
  ModelSpec windowed = TinySpec(LayerKind::kLstm, 4, 2);
  windowed.window = 8;
  windowed.instance_normalisation = true;
  windowed.layers[0].bidirectional = true;
  windowed.layers[1].peepholes = true;
  windowed.layers[1].projection = 2;
  ModelSpec convolved = TinySpec(LayerKind::kGruLayerNorm, 6);
  convolved.layers.insert(convolved.layers.begin(), {.kind = LayerKind::kConv1d, .units = 3, .kernel = 2});
  convolved.precision = Precision::kInt8;
  convolved.cycle = 24;
  convolved.bias_period = 200;
  convolved.linear_context = 3;
  convolved.reorder_window = 8;
  return {WriteSpec(TinySpec()), WriteSpec(windowed), WriteSpec(convolved), "[[[[{}]]]]"};
}

void Fuzz(absl::string_view input) {
  const auto spec = ParseSpec(input);
  if (!spec.ok()) return Require(!spec.status().message().empty(), "an error has a reason");
  Require(CheckSpec(*spec).ok(), "a spec that was parsed is checked");
  const std::string written = WriteSpec(*spec);
  const auto again = ParseSpec(written);
  Require(again.ok(), "what is written can be read");
  Require(WriteSpec(*again) == written, "what is written and read again is the same");
  Require(!Model::Create(*spec, {}).ok(), "a model wants weights");
}

}  // namespace tidegate
