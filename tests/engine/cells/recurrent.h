#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "engine/cells/recurrent_weights.h"
#include "engine/model/spec.h"
#include "engine/tensor/matrix.h"
#include "tests/engine/cells/reference.h"

// One way to call either cell, in the code under test and in the reference, and one problem to set both.
namespace tidegate::recurrent {

std::string Name(CellKind kind);  // "gru", "lstm"
std::size_t StateFloats(CellKind kind, std::size_t units);

// A loss over T steps of B sequences: the sum of slope * output. Time-major.
struct Problem {
  CellKind kind = CellKind::kGru;
  std::size_t batch = 1;
  RecurrentWeights weights;
  Matrix x;      // [T*B, I]
  Matrix state;  // [B, state floats]: before the first step
  Matrix slope;  // [T*B, H]
};

// A problem of odd shape, drawn from `seed`: weights +-1/sqrt(H), inputs +-3, states and slopes +-1.
Problem RandomProblem(CellKind kind, unsigned seed);

// All floats of a gradient (or of what it is a gradient of) in one order.
std::vector<double> Flat(const RecurrentWeights& weights, const Matrix& x);

// Outputs [T*B, H] of the cell stepped as in serving, of the sequence form, and of the reference in double.
Matrix StepOutputs(const Problem& problem);
Matrix SequenceOutputs(const Problem& problem, Matrix* last_state = nullptr);
std::vector<double> ReferenceOutputs(const Problem& problem);

// d loss / d (weights, x), flat: by the sequence form, and by the chain rule of the reference.
std::vector<double> SequenceGradient(const Problem& problem);
std::vector<double> ReferenceGradient(const Problem& problem);

// The loss in double at `values`, ordered as Flat.
double ReferenceLoss(const Problem& problem, const std::vector<double>& values);

}  // namespace tidegate::recurrent
