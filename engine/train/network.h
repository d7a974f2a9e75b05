#pragma once

#include <cstddef>
#include <vector>

#include "engine/cells/gru_gradient.h"
#include "engine/cells/lstm_gradient.h"
#include "engine/cells/recurrent_weights.h"
#include "engine/model/spec.h"
#include "engine/model/tensors.h"
#include "engine/tensor/matrix.h"
#include "engine/train/adam.h"
#include "engine/train/random.h"

namespace tidegate {

// The weights of a Model while they are trained; the same shape holds their gradient. A plain value.
struct NetworkWeights {
  explicit NetworkWeights(const ModelSpec& spec);  // all zero

  // Evenly in +-1/sqrt(H), H the units of the layer (for the head of the layer below it), as PyTorch begins.
  void Randomise(Random& random);
  void SetZero();
  Arrays AsArrays();
  // Under the names that Model::Create wants.
  Tensors AsTensors() const;

  std::vector<RecurrentWeights> layers;
  Matrix head;                   // [horizon*Q, H]
  std::vector<float> head_bias;  // [horizon*Q]
};

// The layers and the head of a Model over T steps of B sequences at once, and back: time-major rows t * B +
// b. Keeps what Backward needs of the last Forward. Not thread-safe.
class Network {
 public:
  explicit Network(const ModelSpec& spec) : spec_(spec), layers_(spec.layers.size()) {}

  // Zero states for B sequences.
  void Start(std::size_t batch);

  // Carries the states through x [T*B, I], which must live until Backward.
  void Forward(const NetworkWeights& weights, const Matrix& x);

  // After Forward: outputs [T*B, horizon*Q], the quantiles of each step as Model::Step gives them.
  void Decode(const NetworkWeights& weights, Matrix& outputs) const;

  // After Decode: adds to `gradient`. outputs: as Decode gave them; d_outputs: gradient of the loss with
  // respect to them, destroyed. Gradients do not flow into the steps before Forward's first.
  void Backward(const NetworkWeights& weights, const Matrix& x, const Matrix& outputs, Matrix& d_outputs,
                NetworkWeights& gradient);

 private:
  struct Layer {
    Matrix state;   // [B, state floats]
    Matrix output;  // [T*B, H]
    GruTape gru;    // the tape of the layer's kind is used
    LstmTape lstm;
  };

  ModelSpec spec_;
  std::vector<Layer> layers_;
};

}  // namespace tidegate
