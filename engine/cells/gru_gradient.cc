#include "engine/cells/gru_gradient.h"

#include <algorithm>
#include <cassert>

#include "engine/cells/weight_gradient.h"
#include "engine/tensor/elementwise.h"
#include "engine/tensor/gemm.h"

namespace tidegate {
namespace {

// One row of one step. gates [3H]: W x + b on entry, the activations on return. u [3H]: U h without its bias.
void ForwardRow(const float* u, const float* c, const float* h, float* gates, float* hidden_product,
                float* h_next, std::size_t units) {
  for (std::size_t j = 0; j < 2 * units; ++j) gates[j] += u[j] + c[j];
  Sigmoid(gates, 2 * units);
  const float* r = gates;
  const float* z = gates + units;
  float* n = gates + 2 * units;
  for (std::size_t j = 0; j < units; ++j) {
    hidden_product[j] = u[2 * units + j] + c[2 * units + j];
    n[j] += r[j] * hidden_product[j];
  }
  Tanh(n, units);
  for (std::size_t j = 0; j < units; ++j) h_next[j] = n[j] + z[j] * (h[j] - n[j]);
}

// One row of one step back. dh [H]: d loss / d h'. Writes the gradients before the activations: dx [3H] of W
// x + b, du [3H] of U h + c, and what reaches h without passing U: dh_past [H].
void BackwardRow(const float* gates, const float* hidden_product, const float* h, const float* dh, float* dx,
                 float* du, float* dh_past, std::size_t units) {
  const float* r = gates;
  const float* z = gates + units;
  const float* n = gates + 2 * units;
  for (std::size_t j = 0; j < units; ++j) {
    const float dn = dh[j] * (1 - z[j]) * (1 - n[j] * n[j]);
    const float dr = dn * hidden_product[j] * r[j] * (1 - r[j]);
    const float dz = dh[j] * (h[j] - n[j]) * z[j] * (1 - z[j]);
    dx[j] = dr;
    dx[units + j] = dz;
    dx[2 * units + j] = dn;
    du[j] = dr;
    du[units + j] = dz;
    du[2 * units + j] = dn * r[j];
    dh_past[j] = dh[j] * z[j];
  }
}

}  // namespace

void GruForward(const RecurrentWeights& weights, const Matrix& x, Matrix& state, GruTape& tape) {
  const std::size_t units = weights.units(), gate_floats = 3 * units, batch = state.rows;
  assert(state.cols == units && batch > 0 && x.rows % batch == 0);
  tape.batch = batch;
  tape.gates.Resize(x.rows, gate_floats);
  tape.hidden_product.Resize(x.rows, units);
  tape.hidden.Resize(x.rows + batch, units);
  std::copy(state.values.begin(), state.values.end(), tape.hidden.data());

  InputProduct(weights, x, tape.gates);
  Matrix u(batch, gate_floats);
  for (std::size_t row = 0; row < x.rows; row += batch) {
    Gemm(Transpose::kNo, Transpose::kYes, batch, gate_floats, units, tape.hidden.row(row),
         weights.hidden.data(), u.data(), false);
    for (std::size_t b = 0; b < batch; ++b) {
      ForwardRow(u.row(b), weights.hidden_bias.data(), tape.hidden.row(row + b), tape.gates.row(row + b),
                 tape.hidden_product.row(row + b), tape.hidden.row(row + batch + b), units);
    }
  }
  std::copy_n(tape.hidden.row(x.rows), state.size(), state.data());
}

void GruBackward(const RecurrentWeights& weights, const Matrix& x, const GruTape& tape, Matrix& d_hidden,
                 RecurrentWeights& gradient, Matrix* d_x) {
  const std::size_t units = weights.units(), gate_floats = 3 * units, batch = tape.batch;
  assert(d_hidden.rows == x.rows && d_hidden.cols == units);
  Matrix dx(x.rows, gate_floats), du(x.rows, gate_floats), past(batch, units);
  for (std::size_t row = x.rows; row > 0;) {
    row -= batch;
    for (std::size_t b = 0; b < batch; ++b) {
      BackwardRow(tape.gates.row(row + b), tape.hidden_product.row(row + b), tape.hidden.row(row + b),
                  d_hidden.row(row + b), dx.row(row + b), du.row(row + b), past.row(b), units);
    }
    if (row == 0) break;  // the gradient ends at the first state
    float* before = d_hidden.row(row - batch);
    Gemm(Transpose::kNo, Transpose::kNo, batch, units, gate_floats, du.row(row), weights.hidden.data(),
         before, true);
    for (std::size_t i = 0; i < past.size(); ++i) before[i] += past.values[i];
  }
  AddWeightGradient(weights, x, tape.hidden, dx, du, gradient, d_x);
}

}  // namespace tidegate
