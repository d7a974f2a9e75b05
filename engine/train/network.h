#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "engine/cells/sequence_layer.h"
#include "engine/model/spec.h"
#include "engine/tensor/matrix.h"
#include "engine/tensor/tensors.h"
#include "engine/train/adam.h"
#include "engine/train/parallel_decoder.h"
#include "engine/train/random.h"
#include "engine/train/window_scale.h"

namespace tidegate {

// The layers and the head of a Model while they are trained: T steps of B sequences at once, and back;
// time-major rows t * B + b. The linear path and the cycle are none of its business. Owns its weights and
// their gradients; keeps what Backward needs of the last Forward. Not thread-safe.
class Network {
 public:
  // Which readings have outputs.
  enum class Rows {
    kAll,
    // The last one of each hop of the strided layer: a single chain of states whether the spec interleaves
    // chains or not, as each of them has the same weights. T/stride rows for T readings.
    kHops,
    // The last reading: every Forward is a whole window from zero states. One row for T readings.
    kLast,
  };

  // Requires CheckSpec. All weights zero.
  explicit Network(const ModelSpec& spec, Rows rows = Rows::kAll);

  // Evenly in +-1/sqrt(H), H the units of the layer (for a convolution and the head of their inputs), as
  // PyTorch begins; gains of layer normalisations are 1, its biases 0.
  void Randomise(Random& random);

  // Whether the median alone shapes the layers, see median_first.h; else all levels do.
  void SetMedianFirst(bool on) {
    median_first_ = on;
    if (parallel_) parallel_->SetMedianFirst(on);
  }

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

  // Carries the states through x [T*B, spec.inputs()], which must live until Backward; T a multiple of
  // stride(), for kLast at most the window. A channel's number is the same for all of a sequence. dropout:
  // draws which outputs are left out; null: none are.
  void Forward(const Matrix& x, Random* dropout = nullptr);

  // After Forward: outputs [rows, steps*Q], the quantiles of each step as Model::Step gives them without its
  // linear path; of the recursive head those of the next step alone (OutputSteps).
  void Decode(Matrix& outputs, Random* dropout = nullptr);

  // After Decode: adds to the gradients. outputs: as Decode gave them; d_outputs: gradient of the loss with
  // respect to them, destroyed. Gradients do not flow into the steps before Forward's first.
  void Backward(const Matrix& x, const Matrix& outputs, Matrix& d_outputs);

 private:
  // One layer with its dropout and its residual connection. Above a stride its rows are fewer (a single
  // chain), or its sequences more and shorter (one for each phase).
  struct Level {
    LayerSpec spec;
    std::unique_ptr<SequenceLayer> layer;
    const Matrix* output = nullptr;  // [rows, O]: the layer's own, or changed
    Matrix changed;                  // by dropout or the residual connection
    std::vector<float> kept;         // [rows * O]: what dropout multiplied the outputs by; empty: nothing
  };
  bool single() const { return stride_ > 1 && (!spec_.interleaved || rows_ != Rows::kAll); }
  // Whether the strided layer's own outputs are those of the hops only.
  bool hops_below() const { return single() && !levels_[strided_].spec.residual; }
  const Matrix& LayerInputs(const Matrix& x);
  void PickHops(const Matrix& rows);
  // What the head sees of the topmost level: its outputs, for the parallel head its states.
  const Matrix& HeadRows();
  void HoldOutputs(std::size_t rows);
  // Sets d_top, the gradient of what the head saw, from that of the outputs.
  void BackThroughHead(const Matrix& outputs, Matrix& d_outputs, Matrix& d_top);
  Matrix ReleaseOutputs(const Matrix& d_top) const;
  // Of windows: what the head sees of each, and its gradient at the rows that it came from.
  void KeepLast(const Matrix& rows);
  Matrix SpreadLast(const Matrix& d_top, std::size_t rows) const;
  Matrix SpreadHops(const Matrix& d_hops, std::size_t rows) const;

  ModelSpec spec_;
  Rows rows_;
  bool median_first_ = false;
  std::size_t batch_ = 0;
  std::size_t stride_ = 1;
  std::size_t strided_ = 0;  // index of the strided level
  std::vector<Level> levels_;
  Matrix layer_inputs_;                 // [T*B, layer_inputs()]: x without the channels' numbers
  std::vector<std::size_t> channels_;   // [rows of top_]
  std::vector<std::size_t> sequences_;  // [B]: the channel of each
  Matrix hops_;    // input of the level above a single chain's stride: the last row of each hop
  Matrix states_;  // of the topmost level, if it has cells
  std::optional<WindowScale> scale_;  // of instance normalisation
  std::size_t top_rows_ = 0;          // of the topmost level's outputs
  Matrix held_;                       // [B, O or S]: what the head saw of the last hop
  const Matrix* top_ = nullptr;       // [rows, O or S]: what the head sees
  Matrix held_top_;                   // the same, where outputs are held or only the last row is seen
  Matrix d_output_, d_input_;         // gradients of a level's output and input
  Tensors head_, head_gradient_;      // "weight" [outputs, O], "bias" [outputs]; empty with parallel_
  std::unique_ptr<ParallelDecoder> parallel_;  // null with another head
};

// How a spec's network is trained: interleaved chains one by one, so with outputs at hops only.
inline Network::Rows RowsOf(const ModelSpec& spec) {
  if (spec.window > 0) return Network::Rows::kLast;
  return spec.interleaved ? Network::Rows::kHops : Network::Rows::kAll;
}
// Steps of the horizon that the network itself forecasts: the recursive head's is one, and it learns by the
// readings that came next (teacher forcing); when it is served it runs on with its own forecast.
inline std::size_t OutputSteps(const ModelSpec& spec) {
  return spec.head == HeadKind::kRecursive ? 1 : spec.horizon;
}
// Readings from one output of that network to the next.
std::size_t OutputStride(const ModelSpec& spec);

}  // namespace tidegate
