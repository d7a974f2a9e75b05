#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "engine/cells/gate_rule.h"
#include "engine/layers/layer_spec.h"
#include "engine/layers/parallel_head.h"
#include "engine/tensor/matrix.h"
#include "engine/tensor/tensors.h"
#include "engine/train/random.h"

namespace tidegate {

// The parallel head (parallel_head.h) while it is trained: many states at once, and back. The product of the
// topmost layer's weights with a state is made once for all segments of the horizon, that with an embedding
// once for all states. Owns the head's weights and their gradients; keeps what Backward needs of the last
// Forward. Dropout is that of the topmost layer, on the outputs of its further step. Not thread-safe.
class ParallelDecoder {
 public:
  // Whether a topmost layer can be decoded here: a rule (gate_rule.h) without projection.
  static bool CanTrain(const LayerSpec& top);

  // Requires CanTrain. All weights zero.
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
  std::size_t EmbeddingOf(std::size_t row, std::size_t segment) const;
  void FillEmbeddings();
  void AddEmbeddingGradients(const Matrix& d_embeddings);

  ParallelHead::Sizes sizes_;
  float dropout_;
  bool median_first_ = false;
  std::unique_ptr<GateRule> rule_;
  Tensors parameters_, gradients_;
  std::vector<std::size_t> channels_;  // [R]
  Matrix embeddings_;                  // [max(C, 1) * m, E]
  Matrix input_product_;               // [max(C, 1) * m, G*H]
  Matrix hidden_, cell_;               // [R, H]; cell_ empty without one
  Matrix hidden_product_;              // [R, G*H]
  Matrix tape_;                        // [R*m, tape floats]
  Matrix output_;                      // [R*m, H]: after dropout
  Matrix next_cell_;                   // [R*m, H]
  std::vector<float> kept_;            // [R*m * H] or empty
  Matrix d_output_, d_input_, d_hidden_;
};

}  // namespace tidegate
