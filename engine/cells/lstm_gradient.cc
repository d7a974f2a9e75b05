#include "engine/cells/lstm_gradient.h"

#include <algorithm>
#include <cassert>

#include "engine/cells/weight_gradient.h"
#include "engine/tensor/elementwise.h"
#include "engine/tensor/gemm.h"

namespace tidegate {
namespace {

// One row of one step. gates [4H]: W x + b on entry, the activations on return. u [4H]: U h without its bias.
void ForwardRow(const float* u, const float* c, const float* s, float* gates, float* s_next, float* h_next,
                std::size_t units) {
  for (std::size_t j = 0; j < 4 * units; ++j) gates[j] += u[j] + c[j];
  Sigmoid(gates, 2 * units);
  Tanh(gates + 2 * units, units);
  Sigmoid(gates + 3 * units, units);
  const float* i = gates;
  const float* f = gates + units;
  const float* g = gates + 2 * units;
  const float* o = gates + 3 * units;
  for (std::size_t j = 0; j < units; ++j) {
    s_next[j] = f[j] * s[j] + i[j] * g[j];
    h_next[j] = s_next[j];
  }
  Tanh(h_next, units);
  for (std::size_t j = 0; j < units; ++j) h_next[j] *= o[j];
}

// One row of one step back. dh [H]: d loss / d h'. ds [H]: d loss / d s' by way of later steps, replaced by
// d loss / d s. squashed [H]: tanh(s'). Writes the gradient before the activations, d_gates [4H].
void BackwardRow(const float* gates, const float* s, const float* squashed, const float* dh, float* ds,
                 float* d_gates, std::size_t units) {
  const float* i = gates;
  const float* f = gates + units;
  const float* g = gates + 2 * units;
  const float* o = gates + 3 * units;
  for (std::size_t j = 0; j < units; ++j) {
    const float total = ds[j] + dh[j] * o[j] * (1 - squashed[j] * squashed[j]);
    d_gates[j] = total * g[j] * i[j] * (1 - i[j]);
    d_gates[units + j] = total * s[j] * f[j] * (1 - f[j]);
    d_gates[2 * units + j] = total * i[j] * (1 - g[j] * g[j]);
    d_gates[3 * units + j] = dh[j] * squashed[j] * o[j] * (1 - o[j]);
    ds[j] = total * f[j];
  }
}

}  // namespace

void LstmForward(const RecurrentWeights& weights, const Matrix& x, Matrix& state, LstmTape& tape) {
  const std::size_t units = weights.units(), gate_floats = 4 * units, batch = state.rows;
  assert(state.cols == 2 * units && batch > 0 && x.rows % batch == 0);
  tape.batch = batch;
  tape.gates.Resize(x.rows, gate_floats);
  tape.cell.Resize(x.rows + batch, units);
  tape.hidden.Resize(x.rows + batch, units);
  for (std::size_t b = 0; b < batch; ++b) {
    std::copy_n(state.row(b), units, tape.hidden.row(b));
    std::copy_n(state.row(b) + units, units, tape.cell.row(b));
  }

  InputProduct(weights, x, tape.gates);
  Matrix u(batch, gate_floats);
  for (std::size_t row = 0; row < x.rows; row += batch) {
    Gemm(Transpose::kNo, Transpose::kYes, batch, gate_floats, units, tape.hidden.row(row),
         weights.hidden.data(), u.data(), false);
    for (std::size_t b = 0; b < batch; ++b) {
      ForwardRow(u.row(b), weights.hidden_bias.data(), tape.cell.row(row + b), tape.gates.row(row + b),
                 tape.cell.row(row + batch + b), tape.hidden.row(row + batch + b), units);
    }
  }
  for (std::size_t b = 0; b < batch; ++b) {
    std::copy_n(tape.hidden.row(x.rows + b), units, state.row(b));
    std::copy_n(tape.cell.row(x.rows + b), units, state.row(b) + units);
  }
}

void LstmBackward(const RecurrentWeights& weights, const Matrix& x, const LstmTape& tape, Matrix& d_hidden,
                  RecurrentWeights& gradient, Matrix* d_x) {
  const std::size_t units = weights.units(), gate_floats = 4 * units, batch = tape.batch;
  assert(d_hidden.rows == x.rows && d_hidden.cols == units);
  Matrix squashed(x.rows, units), d_gates(x.rows, gate_floats), ds(batch, units);
  std::copy_n(tape.cell.row(batch), squashed.size(), squashed.data());
  Tanh(squashed.data(), squashed.size());
  for (std::size_t row = x.rows; row > 0;) {
    row -= batch;
    for (std::size_t b = 0; b < batch; ++b) {
      BackwardRow(tape.gates.row(row + b), tape.cell.row(row + b), squashed.row(row + b),
                  d_hidden.row(row + b), ds.row(b), d_gates.row(row + b), units);
    }
    if (row == 0) break;  // the gradient ends at the first state
    Gemm(Transpose::kNo, Transpose::kNo, batch, units, gate_floats, d_gates.row(row), weights.hidden.data(),
         d_hidden.row(row - batch), true);
  }
  AddWeightGradient(weights, x, tape.hidden, d_gates, d_gates, gradient, d_x);
}

}  // namespace tidegate
