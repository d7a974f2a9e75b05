#pragma once

#include <cstddef>
#include <utility>

#include "engine/tensor/matrix.h"
#include "engine/tensor/tensors.h"

namespace tidegate {

// A layer as training sees it: T steps of B sequences at once, time-major (row t * B + b), and back. Owns its
// weights, their gradients, the states that it carries on and what Backward needs of the last Forward. Runs
// on oneDNN with the OpenMP threads that the calling thread has set. Not thread-safe.
class SequenceLayer {
 public:
  // parameters: the layer's tensors under the names that its step form takes.
  explicit SequenceLayer(Tensors parameters) : parameters_(std::move(parameters)), gradients_(parameters_) {
    ClearGradients();
  }
  virtual ~SequenceLayer() = default;
  SequenceLayer(const SequenceLayer&) = delete;
  SequenceLayer& operator=(const SequenceLayer&) = delete;

  Tensors& parameters() { return parameters_; }
  const Tensors& parameters() const { return parameters_; }
  Tensors& gradients() { return gradients_; }  // same names and shapes
  void ClearGradients() {
    for (auto& [name, tensor] : gradients_) tensor.values.assign(tensor.values.size(), 0.0f);
  }

  virtual std::size_t outputs() const = 0;       // O
  virtual std::size_t state_floats() const = 0;  // S, laid out as in the step form

  // [B, S]: the states before the next Forward's first step; set it to begin elsewhere. Start: zero, for B
  // sequences.
  Matrix& state() { return state_; }
  void Start(std::size_t batch) { state_ = Matrix(batch, state_floats()); }

  // x [T*B, I], which must live until Backward; T >= 1. Returns y [T*B, O], valid until the next Forward, and
  // carries the states on.
  virtual const Matrix& Forward(const Matrix& x) = 0;

  // The cell states after each step of the last Forward [T*B, H], where a layer has them beside its output;
  // else null. Valid as long as what Forward returned.
  virtual const float* cells() const { return nullptr; }

  // d_y: gradient of the loss with respect to y [T*B, O]; destroyed. A recurrent layer also takes [T*B, S],
  // with respect to its whole state after each step. Adds to gradients(). Sets d_x [T*B, I] and d_first [B,
  // S], with respect to the state before the first step, each unless null.
  virtual void Backward(Matrix& d_y, Matrix* d_x, Matrix* d_first) = 0;

 protected:
  Tensors parameters_;
  Tensors gradients_;
  Matrix state_;
};

}  // namespace tidegate
