#pragma once

#include <cstddef>
#include <vector>

#include "engine/cells/layer.h"
#include "engine/cells/sequence_layer.h"
#include "engine/layers/layer_spec.h"
#include "engine/tensor/matrix.h"
#include "engine/tensor/packed_linear.h"
#include "engine/tensor/tensors.h"

namespace tidegate {

// Causal convolution over the readings of a stream, K of them d apart, the present one last:
//   y_t = b + sum over k = 0 .. K-1 of W_k v(t - (K-1-k) d)         v(t) = x(t), zero before the stream's
//   start
// relative (level-free segments): v(t') = x(t') - x(t - (K-1) d - 1), the reading before the first one under
// the filter; readings before the stream's start count as equal to its first. relu: y = max(0, y). As
// PyTorch's nn.Conv1d behind (K-1) d zeros. Tensors: weight [O, I, K], bias [O].
//
// Gives an output at every reading; which of them a stride keeps is the network's business (layer_stack.h).
// State of a stream: if it counts (relative, or stride > 1) the number of readings, as 1 + (number - 1)
// modulo the stride, then the inputs of the last (K-1) d readings, of one more if relative, oldest first.
class Conv1dLayer : public Layer {
 public:
  Conv1dLayer(const LayerSpec& spec, const Tensors& tensors);

  std::size_t inputs() const override { return inputs_; }
  std::size_t outputs() const override { return linear_.outputs(); }
  std::size_t state_floats() const override { return counts_ + past_ * inputs_; }
  void Step(const float* const* x, float* const* states, const float** y, std::size_t batch,
            Scratch& scratch) const override;

  bool IsState(const float* state) const override;

  // The place of the last reading in its hop: 0 to stride - 1, the stream's first reading being 0. Requires a
  // stride above 1 and a reading.
  std::size_t Phase(const float* state) const { return static_cast<std::size_t>(state[0]) - 1; }

 private:
  void Remember(const float* x, float* state) const;

  LayerSpec spec_;
  std::size_t inputs_;
  std::size_t past_;     // readings kept
  std::size_t counts_;   // 1 if the state begins with a count
  PackedLinear linear_;  // [O, K*I]
};

// Its sequence form, also with an output at every reading unless it keeps hops only. d_first is not there: a
// convolution is no place where sequences are joined.
class Conv1dSequence : public SequenceLayer {
 public:
  Conv1dSequence(const LayerSpec& spec, Tensors parameters);

  std::size_t outputs() const override { return spec_.units; }
  std::size_t state_floats() const override;
  // From now on outputs [T/stride*B, O] at the last reading of each hop only; every Forward takes whole hops.
  void KeepHops() { every_ = spec_.stride; }

  const Matrix& Forward(const Matrix& x) override;
  void Backward(Matrix& d_y, Matrix* d_x, Matrix* d_first) override;

 private:
  // Row of x where the output row r is made.
  std::size_t ReadingOf(std::size_t r) const {
    return ((r / state_.rows + 1) * every_ - 1) * state_.rows + r % state_.rows;
  }
  void FillPast(const Matrix& x);
  void StorePast(const Matrix& x);

  LayerSpec spec_;
  std::size_t past_;
  std::size_t every_ = 1;    // readings from one output to the next
  std::vector<bool> fresh_;  // [B]: streams whose first reading stood for all before it
  Matrix inputs_;            // [(past + T) * B, I]: the kept readings, then x
  Matrix columns_;           // [T*B, I*K]: what lies under the filter at each output
  Matrix output_;            // [T*B, O]
};

}  // namespace tidegate
