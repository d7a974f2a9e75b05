#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "engine/layers/layer_spec.h"
#include "engine/tensor/matrix.h"
#include "engine/tensor/tensors.h"

namespace tidegate {

// The further steps of the topmost layer that a parallel head makes (parallel_head.h), while it is trained:
// from each of R states m steps, each from that state and with an input of its own out of a table of
// embeddings. Keeps what Backward needs of the last Forward. Not thread-safe.
class ParallelSteps {
 public:
  virtual ~ParallelSteps() = default;

  // top: the layer's tensors. states [R, S]; embeddings [N, E]; places [R*m]: of each step's input among the
  // embeddings. Returns the outputs [R*m, O], valid until the next Forward.
  virtual const Matrix& Forward(const Tensors& top, const Matrix& states, const Matrix& embeddings,
                                std::span<const std::size_t> places) = 0;

  // After Forward with the same arguments. d_outputs [R*m, O]: may be changed. Adds to the layer's gradients;
  // sets d_states [R, S] and d_embeddings [N, E].
  virtual void Backward(const Tensors& top, const Matrix& embeddings, std::span<const std::size_t> places,
                        Matrix& d_outputs, Tensors& top_gradients, Matrix& d_states,
                        Matrix& d_embeddings) = 0;
};

// top: a recurrent layer that is neither bidirectional nor residual. Of a gate rule (gate_rule.h) the product
// of the weights with a state is made once for all its steps, that with an embedding once for all states; any
// other layer (the reset before the product, a projected output) runs one step of R*m sequences.
std::unique_ptr<ParallelSteps> MakeParallelSteps(const LayerSpec& top, std::size_t inputs);

}  // namespace tidegate
