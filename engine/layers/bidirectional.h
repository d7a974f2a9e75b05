#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "engine/cells/layer.h"
#include "engine/cells/sequence_layer.h"
#include "engine/tensor/matrix.h"
#include "engine/tensor/scratch.h"
#include "engine/tensor/tensors.h"

namespace tidegate {

// A recurrent layer beside another that runs over the same window backwards, both from zero states.
//   y_t = [forward h after reading t; backward h after readings T-1 down to t]
// Source: Schuster & Paliwal 1997; as PyTorch's bidirectional nn.GRU and nn.LSTM. Changes all of its outputs
// with every reading, so it runs over windows only. Const methods are safe from any thread.
class Bidirectional {
 public:
  Bidirectional(std::unique_ptr<const Layer> forward, std::unique_ptr<const Layer> backward)
      : forward_(std::move(forward)), backward_(std::move(backward)) {}

  // x: T*B pointers to rows of I floats, time-major. y: set to T*B pointers to rows of 2*O floats. summary:
  // set to B pointers to rows of 2*O floats, the last output of either direction: [forward h_{T-1}; backward
  // h_0], PyTorch's h_n. All in `scratch`. The bits of a stream do not depend on its batch.
  void Run(const float* const* x, std::size_t steps, std::size_t batch, Scratch& scratch, const float** y,
           const float** summary) const;

 private:
  std::unique_ptr<const Layer> forward_, backward_;
};

// Its sequence form: every Forward is a whole window. Tensors: those of the forward layer, and those of the
// backward one with the suffix _reverse. No state is carried on.
class BidirectionalSequence : public SequenceLayer {
 public:
  BidirectionalSequence(std::unique_ptr<SequenceLayer> forward, std::unique_ptr<SequenceLayer> backward);

  std::size_t outputs() const override { return forward_->outputs() + backward_->outputs(); }
  std::size_t state_floats() const override { return 0; }
  const Matrix& Forward(const Matrix& x) override;
  void Backward(Matrix& d_y, Matrix* d_x, Matrix* d_first) override;

 private:
  std::unique_ptr<SequenceLayer> forward_, backward_;
  Matrix reversed_;  // x, last reading first
  Matrix output_;    // [T*B, 2*O]
};

// The tensors of one direction: those with the suffix _reverse, without it, or the others.
Tensors OfDirection(const Tensors& tensors, bool reverse);

}  // namespace tidegate
