#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "engine/layers/layer_spec.h"
#include "engine/layers/parallel_head.h"
#include "engine/tensor/matrix.h"
#include "engine/tensor/tensors.h"
#include "engine/train/parallel_steps.h"
#include "engine/train/random.h"

namespace tidegate {

// The parallel head (parallel_head.h) while it is trained: many states at once, and back. Owns the head's
// weights and their gradients; keeps what Backward needs of the last Forward. Dropout is that of the topmost
// layer, on the outputs of its further step. Not thread-safe.
class ParallelDecoder {
 public:
  // top: as MakeParallelSteps takes it. All weights zero.
  ParallelDecoder(const LayerSpec& top, const ParallelHead::Sizes& sizes);

  // See median_first.h.
  void SetMedianFirst(bool on) { median_first_ = on; }

  Tensors& parameters() { return parameters_; }
  const Tensors& parameters() const { return parameters_; }
  Tensors& gradients() { return gradients_; }

  // states [R, S]: of the topmost layer, whose tensors are `top`. channels [R]; not read without channels.
  // outputs: set to [R, horizon*Q], rising quantiles. dropout: null: none.
  void Forward(const Tensors& top, const Matrix& states, std::span<const std::size_t> channels,
               Random* dropout, Matrix& outputs);

  // After Forward with the same `top`. d_outputs: gradient of the loss with respect to `outputs`, destroyed.
  // Adds to gradients() and to those of the topmost layer; sets d_states [R, S].
  void Backward(const Tensors& top, const Matrix& outputs, Matrix& d_outputs, Tensors& top_gradients,
                Matrix& d_states);

 private:
  std::size_t segments() const { return sizes_.horizon / sizes_.segment; }
  void FillEmbeddings();
  void AddEmbeddingGradients(const Matrix& d_embeddings);

  ParallelHead::Sizes sizes_;
  float dropout_;
  bool median_first_ = false;
  std::unique_ptr<ParallelSteps> steps_;
  Tensors parameters_, gradients_;
  Matrix embeddings_;                // [max(C, 1) * m, E]
  std::vector<std::size_t> places_;  // [R*m]: of each step's input among the embeddings
  Matrix output_;                    // [R*m, O]: after dropout
  std::vector<float> kept_;          // [R*m * O] or empty
  Matrix d_output_;
};

}  // namespace tidegate
