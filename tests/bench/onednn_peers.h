#pragma once

#include <cstddef>
#include <memory>

#include "engine/cells/recurrent_weights.h"

namespace tidegate {

// One step of a GRU (reset after the product) or LSTM layer on oneDNN alone, for comparison. State: h [B, H],
// and for an LSTM a second matrix s [B, H]; contiguous, which is the best case for oneDNN.
class OneDnnPeer {
 public:
  virtual ~OneDnnPeer() = default;
  virtual void Step(const float* x, float* h, float* s) = 0;
};

// oneDNN's RNN primitive with packed weights: lbr_gru or lstm, one time step.
std::unique_ptr<OneDnnPeer> MakeRnnPeer(bool lstm, const RecurrentWeights& weights, std::size_t batch);

// Two packed oneDNN matmuls (inputs and hidden state) and a vectorised pass over the gates.
std::unique_ptr<OneDnnPeer> MakeMatmulPeer(bool lstm, const RecurrentWeights& weights, std::size_t batch);

}  // namespace tidegate
