#include "engine/model/model.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "engine/cells/gru.h"
#include "engine/cells/lstm.h"
#include "engine/layers/quantile_head.h"

namespace tidegate {
namespace {

std::unique_ptr<const Cell> MakeCell(CellKind kind, const RecurrentWeights& weights) {
  if (kind == CellKind::kGru) return std::make_unique<const GruCell>(weights);
  return std::make_unique<const LstmCell>(weights);
}

// Names and shapes of the trained tensors, in the order of the network.
std::vector<std::pair<std::string, std::vector<std::size_t>>> TrainedTensors(const ModelSpec& spec) {
  std::vector<std::pair<std::string, std::vector<std::size_t>>> all;
  std::size_t inputs = spec.inputs();
  for (std::size_t i = 0; i < spec.layers.size(); ++i) {
    const std::size_t units = spec.layers[i].units;
    const std::size_t rows = GatesOf(spec.layers[i].cell) * units;
    const std::string prefix = absl::StrCat("layers.", i, ".");
    all.push_back({prefix + "weight_ih", {rows, inputs}});
    all.push_back({prefix + "weight_hh", {rows, units}});
    all.push_back({prefix + "bias_ih", {rows}});
    all.push_back({prefix + "bias_hh", {rows}});
    inputs = units;
  }
  all.push_back({"head.weight", {spec.outputs(), inputs}});
  all.push_back({"head.bias", {spec.outputs()}});
  return all;
}

absl::Status CheckTensors(const ModelSpec& spec, const Tensors& tensors) {
  for (const auto& [name, shape] : TrainedTensors(spec)) {
    if (auto found = FindTensor(tensors, name, shape); !found.ok()) return found.status();
  }
  if (auto s = FindTensor(tensors, "residuals.quantiles", {ResidualTable::kLevels}); !s.ok())
    return s.status();
  if (auto s = FindTensor(tensors, "residuals.count", {1}); !s.ok()) return s.status();
  if (auto s = FindTensor(tensors, "golden.forecast", {spec.horizon, spec.quantiles.size()}); !s.ok()) {
    return s.status();
  }
  const auto golden = tensors.find("golden.values");
  const std::size_t steps =
      golden == tensors.end() || golden->second.shape.empty() ? 1 : golden->second.shape[0];
  return FindTensor(tensors, "golden.values", {std::max<std::size_t>(steps, 1), spec.features.size()})
      .status();
}

Matrix ToMatrix(const Tensor& tensor) {
  Matrix matrix;
  matrix.rows = tensor.shape[0];
  matrix.cols = tensor.shape[1];
  matrix.values = tensor.values;
  return matrix;
}

}  // namespace

struct Model::Workspace::Buffers {
  Cell::Workspace cell;
  std::vector<const float*> outputs;  // [B]: outputs of the last layer, within the states
  std::vector<float*> states;         // [B]: states of the present layer
  std::vector<float> hidden;          // [B, H]: outputs of a layer, gathered
};

Model::Workspace::Workspace() : buffers_(std::make_unique<Buffers>()) {}
Model::Workspace::~Workspace() = default;
Model::Workspace::Workspace(Workspace&&) noexcept = default;
Model::Workspace& Model::Workspace::operator=(Workspace&&) noexcept = default;

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
  for (std::size_t i = 0; i < spec_.layers.size(); ++i) {
    const std::string prefix = absl::StrCat("layers.", i, ".");
    const RecurrentWeights weights = {
        ToMatrix(tensors.at(prefix + "weight_ih")), ToMatrix(tensors.at(prefix + "weight_hh")),
        tensors.at(prefix + "bias_ih").values, tensors.at(prefix + "bias_hh").values};
    cells_.push_back(MakeCell(spec_.layers[i].cell, weights));
    state_floats_ += cells_.back()->state_floats();
  }
  head_ = std::make_unique<const QuantileHead>(tensors.at("head.weight").values.data(),
                                               tensors.at("head.bias").values.data(), spec_.horizon,
                                               spec_.quantiles.size(), cells_.back()->units());
  for (const auto& [name, shape] : TrainedTensors(spec_)) parameters_ += tensors.at(name).values.size();
}

Model::~Model() = default;

void Model::Step(std::span<const float> inputs, std::span<float* const> states, std::span<float> outputs,
                 Workspace& workspace) const {
  Workspace::Buffers& buffers = *workspace.buffers_;
  const std::size_t batch = states.size();
  buffers.states.assign(states.begin(), states.end());
  const float* x = inputs.data();
  for (std::size_t i = 0; i < cells_.size(); ++i) {
    cells_[i]->Step(x, buffers.states.data(), batch, buffers.cell);
    if (i + 1 == cells_.size()) break;
    const std::size_t units = cells_[i]->units();
    buffers.hidden.resize(std::max(buffers.hidden.size(), batch * units));
    for (std::size_t b = 0; b < batch; ++b) {
      std::copy_n(buffers.states[b], units, &buffers.hidden[b * units]);
      buffers.states[b] += cells_[i]->state_floats();
    }
    x = buffers.hidden.data();
  }
  Decode(states, outputs, workspace);
}

void Model::Decode(std::span<float* const> states, std::span<float> outputs, Workspace& workspace) const {
  Workspace::Buffers& buffers = *workspace.buffers_;
  const Cell& last = *cells_.back();
  const std::size_t offset = state_floats_ - last.state_floats();
  buffers.outputs.clear();
  for (float* const state : states) buffers.outputs.push_back(state + offset);
  head_->Apply(buffers.outputs.data(), outputs.data(), states.size());
}

}  // namespace tidegate
