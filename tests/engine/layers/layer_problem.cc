#include "tests/engine/layers/layer_problem.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <random>

#include "engine/layers/make_layer.h"
#include "tests/engine/layers/reference_layer.h"

namespace tidegate {
namespace {

using reference::Var;

bool HasFirstState(const LayerSpec& spec) { return IsRecurrent(spec.kind) && !spec.bidirectional; }

// Runs the reference at `flat` (ordered as Flat) and hands every output with its row to `visit`.
template <typename T, typename Visit>
void RunReference(const LayerProblem& problem, const std::vector<T>& flat, Visit visit) {
  auto next = flat.begin();
  const auto take = [&next](std::size_t n) {
    next += static_cast<std::ptrdiff_t>(n);
    return std::vector<T>(next - static_cast<std::ptrdiff_t>(n), next);
  };
  reference::Parameters<T> parameters;
  for (const auto& [name, tensor] : problem.parameters) parameters[name] = take(tensor.values.size());
  std::vector<std::vector<std::vector<T>>> x(problem.batch);
  for (std::size_t row = 0; row < problem.x.rows; ++row)
    x[row % problem.batch].push_back(take(problem.inputs));
  for (std::size_t b = 0; b < problem.batch; ++b) {
    const auto state = HasFirstState(problem.spec) ? take(problem.state.cols) : std::vector<T>();
    const auto y = reference::RunLayer(problem.spec, parameters, x[b], state);
    for (std::size_t t = 0; t < y.size(); ++t) visit(t * problem.batch + b, y[t]);
  }
}

template <typename T>
T Loss(const LayerProblem& problem, const std::vector<T>& flat) {
  T loss(0);
  RunReference(problem, flat, [&](std::size_t row, const std::vector<T>& y) {
    for (std::size_t j = 0; j < y.size(); ++j) loss = loss + T(problem.slope.row(row)[j]) * y[j];
  });
  return loss;
}

Matrix WindowOutputs(const LayerProblem& problem) {
  Scratch scratch;
  std::vector<const float*> x, y(problem.x.rows), summary(problem.batch);
  for (std::size_t row = 0; row < problem.x.rows; ++row) x.push_back(problem.x.row(row));
  MakeBidirectional(problem.spec, problem.parameters)
      ->Run(x.data(), problem.steps, problem.batch, scratch, y.data(), summary.data());
  Matrix outputs(problem.x.rows, OutputsOf(problem.spec));
  for (std::size_t row = 0; row < outputs.rows; ++row) std::copy_n(y[row], outputs.cols, outputs.row(row));
  return outputs;
}

}  // namespace

std::vector<LayerFamily> LayerFamilies() {
  return {{"gru", {.kind = LayerKind::kGru}},
          {"gru_reset_before", {.kind = LayerKind::kGruResetBefore}},
          {"gru_layer_norm", {.kind = LayerKind::kGruLayerNorm}},
          {"glu_gru", {.kind = LayerKind::kGluGru}},
          {"lstm", {.kind = LayerKind::kLstm}},
          {"lstm_peepholes", {.kind = LayerKind::kLstm, .peepholes = true}},
          {"lstm_projection", {.kind = LayerKind::kLstm, .projection = 1}},
          {"lstm_peepholes_projection", {.kind = LayerKind::kLstm, .peepholes = true, .projection = 1}},
          {"lstm_layer_norm", {.kind = LayerKind::kLstmLayerNorm}},
          {"conv1d", {.kind = LayerKind::kConv1d, .kernel = 5}},
          {"conv1d_dilation_relu", {.kind = LayerKind::kConv1d, .kernel = 3, .dilation = 2, .relu = true}},
          {"conv1d_relative", {.kind = LayerKind::kConv1d, .kernel = 4, .stride = 4, .relative = true}},
          {"gru_bidirectional", {.kind = LayerKind::kGru, .bidirectional = true}},
          {"lstm_bidirectional", {.kind = LayerKind::kLstm, .bidirectional = true}}};
}

std::vector<LayerFamily> FusedFamilies() {
  std::vector<LayerFamily> families = LayerFamilies();
  std::erase_if(families, [](const LayerFamily& f) {
    return (f.spec.kind != LayerKind::kGru && f.spec.kind != LayerKind::kLstm) || f.spec.bidirectional;
  });
  return families;
}

std::size_t StateFloats(const LayerSpec& spec, std::size_t inputs) {
  return MakeSequenceLayer(spec, inputs)->state_floats();
}

LayerProblem MakeProblem(const LayerFamily& family, std::size_t inputs, std::size_t units, std::size_t batch,
                         std::size_t steps, unsigned seed) {
  LayerProblem problem;
  problem.spec = family.spec;
  problem.spec.units = units;
  if (family.spec.projection != 0) problem.spec.projection = (units + 1) / 2;
  problem.inputs = inputs;
  problem.batch = batch;
  problem.steps = steps;
  problem.parameters = ZeroParameters(problem.spec, inputs);
  std::mt19937_64 random(seed);
  const auto fill = [&random](std::vector<float>& values, double bound) {
    std::uniform_real_distribution<float> uniform(static_cast<float>(-bound), static_cast<float>(bound));
    for (float& value : values) value = uniform(random);
  };
  for (auto& [name, tensor] : problem.parameters)
    fill(tensor.values, 1 / std::sqrt(static_cast<double>(units)));
  problem.x = Matrix(steps * batch, inputs);
  problem.state = Matrix(batch, StateFloats(problem.spec, inputs));
  problem.slope = Matrix(steps * batch, OutputsOf(problem.spec));
  fill(problem.x.values, 3);
  if (HasFirstState(problem.spec)) fill(problem.state.values, 1);
  fill(problem.slope.values, 1);
  return problem;
}

LayerProblem RandomProblem(const LayerFamily& family, const Sizes& largest, unsigned seed) {
  std::mt19937_64 random(seed);
  const auto size = [&random](std::size_t most) { return 1 + random() % most; };
  const auto magnitude = [&random](std::size_t most) {
    std::uniform_real_distribution<double> exponent(0, std::log(static_cast<double>(most) + 1));
    return std::min(most, static_cast<std::size_t>(std::exp(exponent(random))));
  };
  // A projection takes a layer of two units or more; a normalisation over a few, whose sums may nearly agree,
  // makes rounding errors three hundred times larger.
  const bool normalised =
      family.spec.kind == LayerKind::kGruLayerNorm || family.spec.kind == LayerKind::kLstmLayerNorm;
  const std::size_t least = normalised ? 7 : 2;
  const std::size_t inputs = size(largest.inputs), units = std::max(least, magnitude(largest.units));
  const std::size_t batch = magnitude(largest.batch), steps = size(largest.steps);
  return MakeProblem(family, inputs, units, batch, steps, seed + 1);
}

LayerProblem Rounded(LayerProblem problem, Precision precision) {
  Tensors named;
  for (const auto& [name, tensor] : problem.parameters) named["layers.0." + name] = tensor;
  if (!Reduce(precision, named).ok()) std::abort();
  problem.parameters = Below("layers.0.", named);
  return problem;
}

LayerProblem OneStream(const LayerProblem& problem, std::size_t stream) {
  LayerProblem one = problem;
  one.batch = 1;
  const auto take = [&](const Matrix& from) {
    Matrix rows(problem.steps, from.cols);
    for (std::size_t t = 0; t < problem.steps; ++t)
      std::copy_n(from.row(t * problem.batch + stream), from.cols, rows.row(t));
    return rows;
  };
  one.x = take(problem.x);
  one.slope = take(problem.slope);
  one.state = Matrix(1, problem.state.cols);
  std::copy_n(problem.state.row(stream), problem.state.cols, one.state.data());
  return one;
}

Matrix StepOutputs(const LayerProblem& problem, Matrix* last_state) {
  if (problem.spec.bidirectional) return WindowOutputs(problem);
  const auto layer = MakeLayer(problem.spec, problem.parameters);
  Scratch scratch;
  Matrix state = problem.state, outputs(problem.x.rows, layer->outputs());
  std::vector<float*> states;
  std::vector<const float*> x(problem.batch), y(problem.batch);
  for (std::size_t b = 0; b < problem.batch; ++b) states.push_back(state.row(b));
  for (std::size_t row = 0; row < problem.x.rows; row += problem.batch) {
    scratch.Reset();
    for (std::size_t b = 0; b < problem.batch; ++b) x[b] = problem.x.row(row + b);
    layer->Step(x.data(), states.data(), y.data(), problem.batch, scratch);
    for (std::size_t b = 0; b < problem.batch; ++b) std::copy_n(y[b], outputs.cols, outputs.row(row + b));
  }
  if (last_state != nullptr) *last_state = state;
  return outputs;
}

Matrix SequenceOutputs(const LayerProblem& problem, Matrix* last_state) {
  const auto layer = MakeSequenceLayer(problem.spec, problem.inputs);
  layer->parameters() = problem.parameters;
  layer->state() = problem.state;
  Matrix outputs = layer->Forward(problem.x);
  if (last_state != nullptr) *last_state = layer->state();
  return outputs;
}

std::vector<double> ReferenceOutputs(const LayerProblem& problem) {
  std::vector<double> outputs(problem.slope.size());
  RunReference(problem, Flat(problem), [&](std::size_t row, const std::vector<double>& y) {
    std::copy(y.begin(), y.end(), outputs.begin() + static_cast<std::ptrdiff_t>(row * y.size()));
  });
  return outputs;
}

std::vector<double> Flat(const LayerProblem& problem) {
  std::vector<double> flat;
  const auto add = [&flat](const std::vector<float>& v) { flat.insert(flat.end(), v.begin(), v.end()); };
  for (const auto& [name, tensor] : problem.parameters) add(tensor.values);
  add(problem.x.values);
  if (HasFirstState(problem.spec)) add(problem.state.values);
  return flat;
}

std::vector<double> SequenceGradient(const LayerProblem& problem) {
  const auto layer = MakeSequenceLayer(problem.spec, problem.inputs);
  layer->parameters() = problem.parameters;
  layer->state() = problem.state;
  layer->Forward(problem.x);
  LayerProblem gradient = problem;
  Matrix d_y = problem.slope;
  layer->Backward(d_y, &gradient.x, HasFirstState(problem.spec) ? &gradient.state : nullptr);
  gradient.parameters = layer->gradients();
  return Flat(gradient);
}

std::vector<double> ReferenceGradient(const LayerProblem& problem) {
  const auto leaves = Var::Leaves(Flat(problem));
  return Var::Gradient(Loss(problem, leaves), leaves);
}

double ReferenceLoss(const LayerProblem& problem, const std::vector<double>& flat) {
  return Loss(problem, flat);
}

}  // namespace tidegate
