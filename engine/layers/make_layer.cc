#include "engine/layers/make_layer.h"

#include <utility>

#include "engine/cells/fused_sequence.h"
#include "engine/cells/gru.h"
#include "engine/cells/gru_reset_before.h"
#include "engine/cells/lstm.h"
#include "engine/cells/product_cell.h"
#include "engine/cells/recurrent_sequence.h"
#include "engine/layers/conv1d.h"

namespace tidegate {
namespace {

LayerSpec OneDirection(LayerSpec spec) {
  spec.bidirectional = false;
  return spec;
}

}  // namespace

std::unique_ptr<GateRule> MakeGateRule(const LayerSpec& spec) {
  switch (spec.kind) {
    case LayerKind::kGru:
      return MakeGruRule(spec.units);
    case LayerKind::kGruLayerNorm:
      return MakeGruLayerNormRule(spec.units);
    case LayerKind::kGluGru:
      return MakeGluGruRule(spec.units);
    case LayerKind::kLstm:
      return MakeLstmRule(spec.units, spec.peepholes);
    case LayerKind::kLstmLayerNorm:
      return MakeLstmLayerNormRule(spec.units);
    case LayerKind::kGruResetBefore:
    case LayerKind::kConv1d:
      return nullptr;
  }
  return nullptr;
}

std::unique_ptr<const Layer> MakeLayer(const LayerSpec& spec, const Tensors& tensors, Precision precision) {
  switch (spec.kind) {
    case LayerKind::kGru:
      return std::make_unique<const GruCell>(tensors, precision);
    case LayerKind::kLstm:
      return std::make_unique<const LstmCell>(tensors, precision);
    case LayerKind::kGruResetBefore:
      return std::make_unique<const GruResetBeforeCell>(tensors);
    case LayerKind::kConv1d:
      return std::make_unique<const Conv1dLayer>(spec, tensors);
    case LayerKind::kGruLayerNorm:
    case LayerKind::kGluGru:
    case LayerKind::kLstmLayerNorm:
      return std::make_unique<const ProductCell>(MakeGateRule(spec), tensors);
  }
  return nullptr;
}

std::unique_ptr<const Bidirectional> MakeBidirectional(const LayerSpec& spec, const Tensors& tensors,
                                                       Precision precision) {
  const LayerSpec one = OneDirection(spec);
  return std::make_unique<const Bidirectional>(MakeLayer(one, OfDirection(tensors, false), precision),
                                               MakeLayer(one, OfDirection(tensors, true), precision));
}

std::unique_ptr<SequenceLayer> MakeSequenceLayer(const LayerSpec& spec, std::size_t inputs) {
  if (spec.bidirectional) {
    const LayerSpec one = OneDirection(spec);
    return std::make_unique<BidirectionalSequence>(MakeSequenceLayer(one, inputs),
                                                   MakeSequenceLayer(one, inputs));
  }
  Tensors zero = ZeroParameters(spec, inputs);
  if (spec.kind == LayerKind::kConv1d) return std::make_unique<Conv1dSequence>(spec, std::move(zero));
  if (spec.kind == LayerKind::kGruResetBefore)
    return std::make_unique<GruResetBeforeSequence>(std::move(zero));
  const bool plain = spec.kind == LayerKind::kGru ||
                     (spec.kind == LayerKind::kLstm && !spec.peepholes && spec.projection == 0);
  if (plain) return std::make_unique<FusedSequence>(std::move(zero));
  return std::make_unique<RecurrentSequence>(MakeGateRule(spec), std::move(zero));
}

}  // namespace tidegate
