#include "tests/engine/cells/recurrent.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <random>

#include "engine/cells/gru.h"
#include "engine/cells/gru_gradient.h"
#include "engine/cells/lstm.h"
#include "engine/cells/lstm_gradient.h"

namespace tidegate::recurrent {
namespace {

// Runs the reference at `values` (ordered as Flat) and hands every output h [H] with its row to `visit`.
template <typename T, typename Visit>
void RunReference(const Problem& problem, const std::vector<T>& values, Visit visit) {
  const std::size_t units = problem.weights.units(), inputs = problem.x.cols;
  auto next = values.begin();
  const auto take = [&next](std::size_t n) {
    next += static_cast<std::ptrdiff_t>(n);
    return std::vector<T>(next - static_cast<std::ptrdiff_t>(n), next);
  };
  const std::size_t rows = GatesOf(problem.kind) * units;
  reference::Weights<T> weights;
  weights.input = take(rows * inputs);
  weights.hidden = take(rows * units);
  weights.input_bias = take(rows);
  weights.hidden_bias = take(rows);
  std::vector<std::vector<T>> h(problem.batch), s(problem.batch);
  for (std::size_t b = 0; b < problem.batch; ++b) {
    const float* state = problem.state.row(b);
    h[b].assign(state, state + units);
    if (problem.kind == CellKind::kLstm) s[b].assign(state + units, state + 2 * units);
  }
  for (std::size_t row = 0; row < problem.x.rows;) {
    for (std::size_t b = 0; b < problem.batch; ++b, ++row) {
      const std::vector<T> x = take(inputs);
      if (problem.kind == CellKind::kGru) {
        reference::GruStep(weights, x, h[b]);
      } else {
        reference::LstmStep(weights, x, h[b], s[b]);
      }
      visit(row, h[b]);
    }
  }
}

template <typename T>
T Loss(const Problem& problem, const std::vector<T>& values) {
  T loss(0);
  RunReference(problem, values, [&](std::size_t row, const std::vector<T>& h) {
    for (std::size_t j = 0; j < h.size(); ++j) loss = loss + T(problem.slope.row(row)[j]) * h[j];
  });
  return loss;
}

}  // namespace

std::string Name(CellKind kind) { return kind == CellKind::kGru ? "gru" : "lstm"; }
std::size_t StateFloats(CellKind kind, std::size_t units) {
  return kind == CellKind::kGru ? units : 2 * units;
}

Problem RandomProblem(CellKind kind, unsigned seed) {
  std::mt19937_64 random(seed);
  const auto size = [&random](std::size_t most) { return 1 + random() % most; };
  const auto fill = [&random](std::vector<float>& values, double bound) {
    std::uniform_real_distribution<float> uniform(static_cast<float>(-bound), static_cast<float>(bound));
    for (float& value : values) value = uniform(random);
  };
  Problem problem;
  problem.kind = kind;
  problem.batch = size(5);
  const std::size_t inputs = size(7), units = size(19), steps = size(11), rows = GatesOf(kind) * units;
  problem.weights = {Matrix(rows, inputs), Matrix(rows, units), std::vector<float>(rows),
                     std::vector<float>(rows)};
  const double bound = 1 / std::sqrt(static_cast<double>(units));
  fill(problem.weights.input.values, bound);
  fill(problem.weights.hidden.values, bound);
  fill(problem.weights.input_bias, bound);
  fill(problem.weights.hidden_bias, bound);
  problem.x = Matrix(steps * problem.batch, inputs);
  problem.state = Matrix(problem.batch, StateFloats(kind, units));
  problem.slope = Matrix(problem.x.rows, units);
  fill(problem.x.values, 3);
  fill(problem.state.values, 1);
  fill(problem.slope.values, 1);
  return problem;
}

std::vector<double> Flat(const RecurrentWeights& weights, const Matrix& x) {
  std::vector<double> flat;
  for (const auto* part : {&weights.input.values, &weights.hidden.values, &weights.input_bias,
                           &weights.hidden_bias, &x.values}) {
    flat.insert(flat.end(), part->begin(), part->end());
  }
  return flat;
}

Matrix StepOutputs(const Problem& problem) {
  std::unique_ptr<Cell> cell;
  if (problem.kind == CellKind::kGru) {
    cell = std::make_unique<GruCell>(problem.weights);
  } else {
    cell = std::make_unique<LstmCell>(problem.weights);
  }
  Cell::Workspace workspace;
  Matrix state = problem.state, outputs(problem.x.rows, cell->units());
  std::vector<float*> states;
  for (std::size_t b = 0; b < problem.batch; ++b) states.push_back(state.row(b));
  for (std::size_t row = 0; row < problem.x.rows; row += problem.batch) {
    cell->Step(problem.x.row(row), states.data(), problem.batch, workspace);
    for (std::size_t b = 0; b < problem.batch; ++b)
      std::copy_n(state.row(b), outputs.cols, outputs.row(row + b));
  }
  return outputs;
}

Matrix SequenceOutputs(const Problem& problem, Matrix* last_state) {
  Matrix state = problem.state;
  GruTape gru;
  LstmTape lstm;
  if (problem.kind == CellKind::kGru) {
    GruForward(problem.weights, problem.x, state, gru);
  } else {
    LstmForward(problem.weights, problem.x, state, lstm);
  }
  if (last_state != nullptr) *last_state = state;
  const Matrix& hidden = problem.kind == CellKind::kGru ? gru.hidden : lstm.hidden;
  Matrix outputs(problem.x.rows, hidden.cols);
  std::copy_n(hidden.row(problem.batch), outputs.size(), outputs.data());
  return outputs;
}

std::vector<double> ReferenceOutputs(const Problem& problem) {
  std::vector<double> outputs;
  RunReference(problem, Flat(problem.weights, problem.x), [&](std::size_t, const std::vector<double>& h) {
    outputs.insert(outputs.end(), h.begin(), h.end());
  });
  return outputs;
}

std::vector<double> SequenceGradient(const Problem& problem) {
  const RecurrentWeights& weights = problem.weights;
  RecurrentWeights gradient{
      Matrix(weights.input.rows, weights.input.cols), Matrix(weights.hidden.rows, weights.hidden.cols),
      std::vector<float>(weights.input_bias.size()), std::vector<float>(weights.hidden_bias.size())};
  Matrix state = problem.state, d_hidden = problem.slope, d_x;
  if (problem.kind == CellKind::kGru) {
    GruTape tape;
    GruForward(weights, problem.x, state, tape);
    GruBackward(weights, problem.x, tape, d_hidden, gradient, &d_x);
  } else {
    LstmTape tape;
    LstmForward(weights, problem.x, state, tape);
    LstmBackward(weights, problem.x, tape, d_hidden, gradient, &d_x);
  }
  return Flat(gradient, d_x);
}

std::vector<double> ReferenceGradient(const Problem& problem) {
  const auto leaves = reference::Var::Leaves(Flat(problem.weights, problem.x));
  return reference::Var::Gradient(Loss(problem, leaves), leaves);
}

double ReferenceLoss(const Problem& problem, const std::vector<double>& values) {
  return Loss(problem, values);
}

}  // namespace tidegate::recurrent
