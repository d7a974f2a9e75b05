#pragma once

#include <cstddef>
#include <vector>

#include "engine/cells/layer.h"
#include "engine/layers/quantile_head.h"
#include "engine/tensor/scratch.h"
#include "engine/tensor/tensors.h"

namespace tidegate {

// Parallel multi-step decoding: the horizon is cut into m segments of w steps, and for each of them the
// topmost layer makes one further step, all from the same state, so that errors do not add up. The input of
// segment j is an embedding of its place, and behind it one of the stream's channel:
//   h_j = Step(state, [position_j ; channel_c])      forecast of segment j = QuantileHead(h_j), w x Q
// Source: Lin et al. 2023 (SegRNN, arXiv:2308.11200, section 3.3). Const methods are safe from any thread.
class ParallelHead {
 public:
  struct Sizes {
    std::size_t horizon, segment, quantiles;
    std::size_t channels;  // C; 0: no channel embedding
    std::size_t inputs;    // E: width of the topmost layer's input
    std::size_t units;     // H: width of its output
  };

  // Of its tensors: position [m, E] and, with channels, position [m, E - E/2], channel [C, E/2]; weight
  // [w*Q, H], bias [w*Q].
  static Shapes ParameterShapes(const Sizes& sizes);

  ParallelHead(const Sizes& sizes, const Tensors& tensors);

  // states: B pointers to states of `top`, unchanged. channels: [B] numbers below C, ignored without
  // channels. quantiles [B, horizon, Q], rising in q.
  void Apply(const Layer& top, const float* const* states, const std::size_t* channels, float* quantiles,
             std::size_t batch, Scratch& scratch) const;

 private:
  Sizes sizes_;
  std::vector<float> embeddings_;  // [max(C, 1), m, E]
  QuantileHead head_;
};

}  // namespace tidegate
