#include "engine/layers/layer_spec.h"

#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

namespace tidegate {
namespace {

constexpr std::size_t kMost = 4096;  // units
constexpr std::size_t kFar = 1024;   // kernel, dilation, stride

absl::Status Bad(const LayerSpec& spec, absl::string_view field, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("layer '", KindName(spec.kind), "': ", field, ": ", what));
}

absl::Status CheckRange(const LayerSpec& spec, absl::string_view field, std::size_t value, std::size_t most) {
  if (value >= 1 && value <= most) return absl::OkStatus();
  return Bad(spec, field, absl::StrCat(value, "; expected 1 to ", most));
}

absl::Status CheckConv1d(const LayerSpec& spec) {
  if (spec.kind != LayerKind::kConv1d) {
    const bool plain =
        spec.kernel == 1 && spec.dilation == 1 && spec.stride == 1 && !spec.relative && !spec.relu;
    return plain ? absl::OkStatus()
                 : Bad(spec, "kernel, dilation, stride, relative, relu", "are a conv1d's alone");
  }
  if (auto s = CheckRange(spec, "kernel", spec.kernel, kFar); !s.ok()) return s;
  if (auto s = CheckRange(spec, "dilation", spec.dilation, kFar); !s.ok()) return s;
  if (auto s = CheckRange(spec, "stride", spec.stride, kFar); !s.ok()) return s;
  if ((spec.kernel - 1) * spec.dilation >= 4 * kFar) {
    return Bad(spec, "dilation",
               absl::StrCat("the filter reaches over ", (spec.kernel - 1) * spec.dilation,
                            " readings; expected fewer than ", 4 * kFar));
  }
  return absl::OkStatus();
}

absl::Status CheckRecurrent(const LayerSpec& spec) {
  if (spec.kind != LayerKind::kLstm && (spec.peepholes || spec.projection != 0)) {
    return Bad(spec, "peepholes, projection", "are an lstm's alone");
  }
  if (spec.projection >= spec.units && spec.projection != 0) {
    return Bad(spec, "projection",
               absl::StrCat(spec.projection, "; expected fewer than units, ", spec.units));
  }
  if (spec.bidirectional && !IsRecurrent(spec.kind))
    return Bad(spec, "bidirectional", "is for recurrent layers");
  return absl::OkStatus();
}

void AddLayerNorm(Shapes& shapes, const std::string& name, std::size_t width) {
  shapes[name + ".gain"] = {width};
  shapes[name + ".bias"] = {width};
}

Shapes ForwardParameters(const LayerSpec& spec, std::size_t inputs) {
  const std::size_t units = spec.units;
  if (spec.kind == LayerKind::kConv1d) {
    return {{"weight", {units, inputs, spec.kernel}}, {"bias", {units}}};
  }
  const std::size_t rows = GatesOf(spec.kind) * units;
  const std::size_t state = spec.projection == 0 ? units : spec.projection;
  Shapes shapes = {{"weight_ih", {rows, inputs}}, {"weight_hh", {rows, state}}};
  if (spec.kind != LayerKind::kGruLayerNorm && spec.kind != LayerKind::kLstmLayerNorm) {
    shapes["bias_ih"] = {rows};
    shapes["bias_hh"] = {rows};
  }
  if (spec.kind == LayerKind::kGruLayerNorm) {
    for (const char* from : {"norm_ih", "norm_hh"}) {
      AddLayerNorm(shapes, absl::StrCat(from, "_gate"), 2 * units);
      AddLayerNorm(shapes, absl::StrCat(from, "_candidate"), units);
    }
  }
  if (spec.kind == LayerKind::kLstmLayerNorm) {
    AddLayerNorm(shapes, "norm_ih", rows);
    AddLayerNorm(shapes, "norm_hh", rows);
    AddLayerNorm(shapes, "norm_cell", units);
  }
  if (spec.peepholes) shapes["peephole"] = {3, units};
  if (spec.projection != 0) shapes["weight_hr"] = {spec.projection, units};
  return shapes;
}

}  // namespace

bool IsLstm(LayerKind kind) { return kind == LayerKind::kLstm || kind == LayerKind::kLstmLayerNorm; }
bool IsRecurrent(LayerKind kind) { return kind != LayerKind::kConv1d; }

std::size_t GatesOf(LayerKind kind) {
  switch (kind) {
    case LayerKind::kGru:
    case LayerKind::kGruResetBefore:
    case LayerKind::kGruLayerNorm:
      return 3;
    case LayerKind::kGluGru:
    case LayerKind::kLstm:
    case LayerKind::kLstmLayerNorm:
      return 4;
    case LayerKind::kConv1d:
      return 1;
  }
  return 0;
}

const char* KindName(LayerKind kind) {
  switch (kind) {
    case LayerKind::kGru:
      return "gru";
    case LayerKind::kGruResetBefore:
      return "gru_reset_before";
    case LayerKind::kGruLayerNorm:
      return "gru_layer_norm";
    case LayerKind::kGluGru:
      return "glu_gru";
    case LayerKind::kLstm:
      return "lstm";
    case LayerKind::kLstmLayerNorm:
      return "lstm_layer_norm";
    case LayerKind::kConv1d:
      return "conv1d";
  }
  return "";
}

std::size_t OutputsOf(const LayerSpec& spec) {
  const std::size_t one = spec.projection == 0 ? spec.units : spec.projection;
  return spec.bidirectional ? 2 * one : one;
}

absl::Status CheckLayer(const LayerSpec& spec, std::size_t inputs) {
  if (auto s = CheckRange(spec, "units", spec.units, kMost); !s.ok()) return s;
  if (auto s = CheckConv1d(spec); !s.ok()) return s;
  if (auto s = CheckRecurrent(spec); !s.ok()) return s;
  if (!(spec.dropout >= 0 && spec.dropout < 1)) {
    return Bad(spec, "dropout", absl::StrCat(spec.dropout, "; expected 0 or more and less than 1"));
  }
  if (spec.residual && spec.bidirectional) return Bad(spec, "residual", "is not for bidirectional layers");
  if (spec.residual && OutputsOf(spec) != inputs) {
    return Bad(spec, "residual",
               absl::StrCat(inputs, " inputs cannot be added to ", OutputsOf(spec), " outputs"));
  }
  return absl::OkStatus();
}

Shapes ParameterShapes(const LayerSpec& spec, std::size_t inputs) {
  Shapes shapes = ForwardParameters(spec, inputs);
  if (spec.bidirectional) {
    for (const auto& [name, shape] : Shapes(shapes)) shapes[name + "_reverse"] = shape;
  }
  return shapes;
}

Tensors ZeroParameters(const LayerSpec& spec, std::size_t inputs) {
  return ZeroTensors(ParameterShapes(spec, inputs));
}

}  // namespace tidegate
