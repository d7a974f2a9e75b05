#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "absl/status/status.h"
#include "engine/cells/sequence_layer.h"
#include "engine/model/spec.h"
#include "engine/tensor/matrix.h"
#include "engine/tensor/tensors.h"
#include "engine/train/adam.h"
#include "engine/train/random.h"

namespace tidegate {

// The layers and the head of a Model while they are trained: T steps of B sequences at once, and back;
// time-major rows t * B + b. Owns its weights and their gradients; keeps what Backward needs of the last
// Forward. Not thread-safe.
class Network {
 public:
  // InvalidArgument naming what is not trained here: windows, heads other than the direct one, a linear path,
  // a cycle.
  static absl::Status CheckTrainable(const ModelSpec& spec);

  // Requires CheckSpec and CheckTrainable. All weights zero.
  explicit Network(const ModelSpec& spec);

  // Evenly in +-1/sqrt(H), H the units of the layer (for a convolution and the head of their inputs), as
  // PyTorch begins; gains of layer normalisations are 1, its biases 0.
  void Randomise(Random& random);

  Arrays Weights();
  Arrays Gradients();
  void ClearGradients();
  // Under the names that Model::Create wants; and back.
  Tensors WeightTensors() const;
  void SetWeights(const Tensors& tensors);

  std::size_t stride() const { return stride_; }  // of the strided layer, 1 without one
  // `steps` rounded up to a multiple of stride().
  std::size_t WholeHops(std::size_t steps) const { return (steps + stride_ - 1) / stride_ * stride_; }

  // Zero states for B sequences.
  void Start(std::size_t batch);

  // Carries the states through x [T*B, I], which must live until Backward; T a multiple of stride().
  // dropout: draws which outputs are left out; null: none are.
  void Forward(const Matrix& x, Random* dropout = nullptr);

  // After Forward: outputs [T*B, horizon*Q], the quantiles of each step as Model::Step gives them.
  void Decode(Matrix& outputs) const;

  // After Decode: adds to the gradients. outputs: as Decode gave them; d_outputs: gradient of the loss with
  // respect to them, destroyed. Gradients do not flow into the steps before Forward's first.
  void Backward(const Matrix& x, const Matrix& outputs, Matrix& d_outputs);

 private:
  // One layer with its dropout and its residual connection. Above a stride its rows are fewer (a single
  // chain), or its sequences more and shorter (one for each phase).
  struct Level {
    LayerSpec spec;
    std::unique_ptr<SequenceLayer> layer;
    Matrix output;            // [rows, O]
    std::vector<float> kept;  // [rows * O]: what dropout multiplied the outputs by; empty: nothing
  };
  void Drop(Level& level, Random& random);
  void PickHops(const Matrix& rows);
  void HoldOutputs(std::size_t rows);
  Matrix ReleaseOutputs(const Matrix& d_top) const;
  Matrix SpreadHops(const Matrix& d_hops, std::size_t rows) const;

  ModelSpec spec_;
  std::size_t batch_ = 0;
  std::size_t stride_ = 1;
  std::size_t strided_ = 0;  // index of the strided level
  std::vector<Level> levels_;
  Matrix hops_;  // input of the level above a single chain's stride: the last row of each hop
  Matrix held_;  // [B, O]: topmost output of the last hop
  Matrix top_;   // [T*B, O]: topmost output at every step
  Tensors head_, head_gradient_;  // "weight" [outputs, O], "bias" [outputs]
};

}  // namespace tidegate
