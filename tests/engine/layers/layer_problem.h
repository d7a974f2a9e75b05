#pragma once

#include <cstddef>
#include <ostream>
#include <string>
#include <vector>

#include "engine/layers/layer_spec.h"
#include "engine/tensor/matrix.h"
#include "engine/tensor/precision.h"
#include "engine/tensor/tensors.h"

// One problem to set any kind of layer, and one way to have it answered by the step form, by the sequence
// form and by the reference in double precision.
namespace tidegate {

// A kind with its options, under a name.
struct LayerFamily {
  std::string name;
  LayerSpec spec;  // units and projection are set by the problem
  friend std::ostream& operator<<(std::ostream& out, const LayerFamily& f) { return out << f.name; }
};
std::vector<LayerFamily> LayerFamilies();  // all that there are
std::vector<LayerFamily> FusedFamilies();  // those that step forwards in the precision of their weights

// A loss over T steps of B sequences: the sum of slope * output. Time-major.
struct LayerProblem {
  LayerSpec spec;
  std::size_t inputs = 1, batch = 1, steps = 1;
  Tensors parameters;
  Matrix x;      // [T*B, I]
  Matrix state;  // [B, S]: before the first step
  Matrix slope;  // [T*B, O]
};

// Weights +-1/sqrt(H), inputs +-3, states and slopes +-1, drawn from `seed`.
LayerProblem MakeProblem(const LayerFamily& family, std::size_t inputs, std::size_t units, std::size_t batch,
                         std::size_t steps, unsigned seed);
// Sizes from 1 to the largest drawn from `seed` too; units and batch as often small as large.
struct Sizes {
  std::size_t inputs, units, batch, steps;
};
LayerProblem RandomProblem(const LayerFamily& family, const Sizes& largest, unsigned seed);

std::size_t StateFloats(const LayerSpec& spec, std::size_t inputs);

// Outputs [T*B, O].
Matrix StepOutputs(const LayerProblem& problem, Matrix* last_state = nullptr);
Matrix SequenceOutputs(const LayerProblem& problem, Matrix* last_state = nullptr);
LayerProblem Rounded(LayerProblem problem, Precision precision);  // its weights
LayerProblem OneStream(const LayerProblem& problem, std::size_t stream);
std::vector<double> ReferenceOutputs(const LayerProblem& problem);

// All that the loss depends on in one order: the parameters by name, x, and the states of a recurrent layer.
std::vector<double> Flat(const LayerProblem& problem);
std::vector<double> SequenceGradient(const LayerProblem& problem);
std::vector<double> ReferenceGradient(const LayerProblem& problem);
double ReferenceLoss(const LayerProblem& problem, const std::vector<double>& flat);

}  // namespace tidegate
