#include "engine/model/model.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/layers/layer_stack.h"
#include "engine/layers/parallel_head.h"
#include "engine/layers/quantile_head.h"
#include "engine/model/parallel_sizes.h"
#include "engine/tensor/elementwise.h"

namespace tidegate {
namespace {

constexpr std::size_t kMostGolden = 256;  // readings

// Steps of the horizon that the dense head gives at once.
std::size_t HeadHorizon(const ModelSpec& spec) {
  return spec.head == HeadKind::kRecursive ? 1 : spec.horizon;
}

void AddBelow(const std::string& prefix, const Shapes& below, Shapes& shapes) {
  for (const auto& [name, shape] : below) shapes[prefix + name] = shape;
}

absl::Status CheckTensors(const ModelSpec& spec, const Tensors& tensors) {
  for (const auto& [name, shape] : Model::ParameterShapes(spec)) {
    if (auto found = FindTensor(tensors, name, shape); !found.ok()) return found.status();
  }
  if (auto s = CheckReduced(spec.precision, tensors); !s.ok()) return s;
  if (auto s = FindTensor(tensors, "residuals.quantiles", {ResidualTable::kLevels}); !s.ok())
    return s.status();
  const std::vector<float>& residuals = tensors.at("residuals.quantiles").values;
  if (!std::ranges::is_sorted(residuals) || !(residuals.front() >= 0) || !std::isfinite(residuals.back()))
    return absl::InvalidArgumentError(
        "residuals.quantiles: expected finite numbers from 0 on that do not fall");
  if (auto s = FindTensor(tensors, "residuals.count", {1}); !s.ok()) return s.status();
  if (tensors.contains("calibration.ratios")) {
    const std::size_t rows = spec.ScoredSteps().size() * (spec.quantiles.size() - 1);
    const auto ratios = FindTensor(tensors, "calibration.ratios", {rows, CalibrationTable::kLevels});
    if (!ratios.ok()) return ratios.status();
    if (!std::ranges::all_of((*ratios)->values, [](float v) { return std::isfinite(v); }))
      return absl::InvalidArgumentError("calibration.ratios: expected finite numbers");
  }
  if (auto s = FindTensor(tensors, "golden.forecast", {spec.horizon, spec.quantiles.size()}); !s.ok()) {
    return s.status();
  }
  const auto golden = tensors.find("golden.values");
  const std::size_t steps =
      golden == tensors.end() || golden->second.shape.empty() ? 1 : golden->second.shape[0];
  if (steps > kMostGolden) {
    return absl::InvalidArgumentError(
        absl::StrCat("golden.values: ", steps, " readings, expected at most ", kMostGolden));
  }
  return FindTensor(tensors, "golden.values", {std::max<std::size_t>(steps, 1), spec.features.size()})
      .status();
}

// weight [.., L] so that it applies to the levels themselves: "less the last level" becomes part of the last
// column.
Tensor LessTheLast(Tensor weight) {
  const std::size_t context = weight.shape.back();
  for (std::size_t begin = 0; begin < weight.values.size(); begin += context) {
    float* const row = weight.values.data() + begin;
    double sum = 0;
    for (std::size_t k = 0; k < context; ++k) sum += row[k];
    row[context - 1] = static_cast<float>(row[context - 1] - sum);
  }
  return weight;
}

// One for each channel if the spec has a linear map for each.
std::vector<std::size_t> LinearShape(const ModelSpec& spec, std::vector<std::size_t> shape) {
  if (spec.linear_per_channel) shape.insert(shape.begin(), spec.channels);
  return shape;
}

}  // namespace

Shapes Model::ParameterShapes(const ModelSpec& spec) {
  Shapes shapes;
  std::size_t inputs = spec.layer_inputs();
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    AddBelow(absl::StrCat("layers.", i, "."), tidegate::ParameterShapes(spec.layers[i], inputs), shapes);
    inputs = OutputsOf(spec.layers[i]);
  }
  if (spec.head == HeadKind::kParallel) {
    AddBelow("head.", ParallelHead::ParameterShapes(ParallelSizes(spec)), shapes);
  } else {
    const std::size_t outputs = HeadHorizon(spec) * spec.quantiles.size();
    shapes["head.weight"] = {outputs, inputs};
    shapes["head.bias"] = {outputs};
  }
  if (spec.linear_context > 0) {
    shapes["linear.weight"] = LinearShape(spec, {spec.horizon, spec.linear_context});
    shapes["linear.bias"] = LinearShape(spec, {spec.horizon});
    shapes["mixing.network"] = LinearShape(spec, {spec.horizon});
  }
  if (spec.cycle > 0) shapes["cycle.table"] = {spec.cycle, spec.cycle_columns()};
  return shapes;
}

Tensors Model::ZeroParameters(const ModelSpec& spec) { return ZeroTensors(ParameterShapes(spec)); }

std::string StepBuild() {
  constexpr int kStepVersion = 2;  // raised whenever a change gives a step of a model other bits
  return absl::StrCat("kernels ", kStepVersion, ", ", InstructionSet());
}

absl::StatusOr<std::shared_ptr<const Model>> Model::Create(ModelSpec spec, const Tensors& tensors) {
  if (auto s = CheckSpec(spec); !s.ok()) return s;
  if (auto s = CheckTensors(spec, tensors); !s.ok()) {
    return absl::InvalidArgumentError(absl::StrCat("model '", spec.name, "': ", s.message()));
  }
  return std::shared_ptr<const Model>(new Model(std::move(spec), tensors));
}

Model::Model(ModelSpec spec, const Tensors& tensors)
    : spec_(std::move(spec)),
      residuals_(tensors.at("residuals.quantiles").values,
                 static_cast<std::size_t>(tensors.at("residuals.count").values[0])) {
  layers_ = std::make_unique<const LayerStack>(
      spec_.layers, spec_.layer_inputs(),
      spec_.interleaved ? LayerStack::Chains::kInterleaved : LayerStack::Chains::kSingle,
      Below("layers.", tensors), spec_.precision);
  if (spec_.head == HeadKind::kParallel) {
    parallel_ = std::make_unique<const ParallelHead>(ParallelSizes(spec_), Below("head.", tensors));
  } else {
    head_ = std::make_unique<const QuantileHead>(tensors.at("head.weight").values.data(),
                                                 tensors.at("head.bias").values.data(), HeadHorizon(spec_),
                                                 spec_.quantiles.size(), layers_->outputs());
  }
  state_floats_ = spec_.window == 0 ? layers_->state_floats() : 1 + spec_.window * spec_.layer_inputs();
  if (spec_.linear_context > 0) {
    const Tensor weight = LessTheLast(tensors.at("linear.weight"));
    for (std::size_t map = 0; map < spec_.linear_maps(); ++map) {
      linear_.emplace_back(weight.values.data() + map * spec_.horizon * spec_.linear_context,
                           tensors.at("linear.bias").values.data() + map * spec_.horizon, spec_.horizon,
                           spec_.linear_context);
    }
    mixing_ = tensors.at("mixing.network").values;
    offsets_.linear = state_floats_;
    state_floats_ += 1 + spec_.linear_context;
  }
  if (spec_.head == HeadKind::kRecursive && spec_.level_inputs) offsets_.level = state_floats_++;
  if (spec_.channels > 0) offsets_.channel = state_floats_++;
  if (spec_.cycle > 0) cycle_ = tensors.at("cycle.table").values;
  if (const auto ratios = tensors.find("calibration.ratios"); ratios != tensors.end())
    calibration_ = CalibrationTable(ratios->second.values);
  layout_ = StreamLayout(spec_, state_floats_);
  for (const auto& [name, shape] : ParameterShapes(spec_)) parameters_ += ValuesOf(shape);
}

Model::~Model() = default;

void Model::Remember(const float* input, float* state) const {
  const float level = input[spec_.target];  // if the spec has level inputs
  if (!linear_.empty()) {
    float& known = state[offsets_.linear];  // 0: none of the levels is
    float* const levels = state + offsets_.linear + 1;
    if (known == 0) std::fill_n(levels, spec_.linear_context, level);
    known = 1;
    std::copy(levels + 1, levels + spec_.linear_context, levels);
    levels[spec_.linear_context - 1] = level;
  }
  if (offsets_.level != 0) state[offsets_.level] = level;
  if (offsets_.channel != 0) state[offsets_.channel] = input[spec_.inputs() - 1];
  if (spec_.window > 0) {
    const std::size_t width = spec_.layer_inputs();
    float* const rows = state + 1;
    std::copy(rows + width, rows + spec_.window * width, rows);
    std::copy_n(input, width, rows + (spec_.window - 1) * width);
    state[0] = std::min(state[0] + 1, static_cast<float>(spec_.window));
  }
}

void Model::Step(std::span<const float> inputs, std::span<float* const> states, std::span<float> outputs,
                 Workspace& workspace) const {
  const std::size_t batch = states.size();
  workspace.Reset();
  const float** const rows = workspace.Take<const float*>(batch);
  for (std::size_t b = 0; b < batch; ++b) {
    rows[b] = inputs.data() + b * spec_.inputs();
    Remember(rows[b], states[b]);
  }
  if (spec_.window == 0) layers_->Step(rows, states.data(), batch, workspace);
  Decode(states, outputs, workspace);
}

bool Model::IsState(std::span<const float> state) const {
  if (state.size() != state_floats_) return false;
  if (!std::all_of(state.begin(), state.end(), [](float v) { return std::isfinite(v); })) return false;
  if (spec_.window == 0) return layers_->IsState(state.data());
  return state[0] >= 1 && state[0] <= static_cast<float>(spec_.window) && state[0] == std::floor(state[0]);
}

void Model::Decode(std::span<float* const> states, std::span<float> outputs, Workspace& workspace) const {
  workspace.Reset();
  if (spec_.window > 0) {
    ForecastFromWindows(states.data(), states.size(), outputs.data(), workspace);
  } else {
    ForecastFromStates(states.data(), states.size(), outputs.data(), workspace);
  }
  if (!linear_.empty()) MixLinear(states.data(), states.size(), outputs.data(), workspace);
}

}  // namespace tidegate
