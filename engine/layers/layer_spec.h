#pragma once

#include <cstddef>
#include <string>

#include "absl/status/status.h"
#include "engine/tensor/tensors.h"

namespace tidegate {

enum class LayerKind {
  kGru,             // "gru": reset gate after the product
  kGruResetBefore,  // "gru_reset_before"
  kGruLayerNorm,    // "gru_layer_norm"
  kGluGru,          // "glu_gru"
  kLstm,            // "lstm"; optional peepholes and projection
  kLstmLayerNorm,   // "lstm_layer_norm"
  kConv1d,          // "conv1d"
};

// One layer of a network: its kind, its sizes, and what only some kinds know. A plain value.
struct LayerSpec {
  LayerKind kind = LayerKind::kGru;
  std::size_t units = 0;  // H, 1-4096; filters of a convolution

  bool peepholes = false;      // lstm
  std::size_t projection = 0;  // lstm: width P < H of the output; 0: none

  // Recurrent kinds: a second layer runs over the window backwards, the outputs stand side by side. Windowed
  // networks only.
  bool bidirectional = false;

  std::size_t kernel = 1;    // conv1d: K readings under the filter, 1-1024
  std::size_t dilation = 1;  // conv1d: distance between them, 1-1024
  std::size_t stride = 1;    // conv1d: readings from one output to the next, 1-1024
  bool relative = false;     // conv1d: its inputs less the reading before its first one (level-free segments)
  bool relu = false;         // conv1d: max(0, .) of the outputs

  float dropout = 0;      // share of the outputs left out in training, [0, 1)
  bool residual = false;  // the layer's input is added to its output; both equally wide

  bool operator==(const LayerSpec&) const = default;
};

bool IsRecurrent(LayerKind kind);
bool IsLstm(LayerKind kind);           // has a cell state
std::size_t GatesOf(LayerKind kind);   // rows of weights for each unit
const char* KindName(LayerKind kind);  // as in the comments above
inline constexpr LayerKind kLayerKinds[] = {
    LayerKind::kGru,  LayerKind::kGruResetBefore, LayerKind::kGruLayerNorm, LayerKind::kGluGru,
    LayerKind::kLstm, LayerKind::kLstmLayerNorm,  LayerKind::kConv1d};

// Width of the layer's output: P, H, 2P or 2H.
std::size_t OutputsOf(const LayerSpec& spec);

// InvalidArgument naming the field: out of range, or not of this kind.
absl::Status CheckLayer(const LayerSpec& spec, std::size_t inputs);

// The shapes of the layer's tensors for I inputs; gates as in PyTorch (GRU: r, z, n; LSTM: i, f, g, o):
//   GRU kinds  weight_ih [3H, I], weight_hh [3H, H], bias_ih [3H], bias_hh [3H]; glu_gru 4H: r, z, a, g
//   LSTM kinds weight_ih [4H, I], weight_hh [4H, P or H], bias_ih [4H], bias_hh [4H];
//              peephole [3, H] (i, f, o), weight_hr [P, H]
//              the layer-normalised kinds have gains and biases of normalisations instead: product_cell.h
//   bidirectional: the same again with the suffix _reverse
//   conv1d     weight [H, I, K], bias [H]
Shapes ParameterShapes(const LayerSpec& spec, std::size_t inputs);
// These tensors, all zero.
Tensors ZeroParameters(const LayerSpec& spec, std::size_t inputs);

}  // namespace tidegate
