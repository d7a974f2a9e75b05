#pragma once

#include <cstddef>
#include <memory>

#include "engine/cells/gate_rule.h"
#include "engine/cells/layer.h"
#include "engine/cells/sequence_layer.h"
#include "engine/layers/bidirectional.h"
#include "engine/layers/layer_spec.h"
#include "engine/tensor/precision.h"
#include "engine/tensor/tensors.h"

namespace tidegate {

// The rule of a recurrent layer (gate_rule.h); null for a kind that is none.
std::unique_ptr<GateRule> MakeGateRule(const LayerSpec& spec);

// The step form of a layer that is not bidirectional, with the tensors of ZeroParameters, their weights in
// `precision`. Requires CheckLayer. GRU with the reset after the product and LSTM multiply in that precision,
// all other kinds in f32. Dropout and residual connections are the network's business.
std::unique_ptr<const Layer> MakeLayer(const LayerSpec& spec, const Tensors& tensors,
                                       Precision precision = Precision::kF32);

// That of a bidirectional layer.
std::unique_ptr<const Bidirectional> MakeBidirectional(const LayerSpec& spec, const Tensors& tensors,
                                                       Precision precision = Precision::kF32);

// The sequence form of either, all parameters zero, for I inputs.
std::unique_ptr<SequenceLayer> MakeSequenceLayer(const LayerSpec& spec, std::size_t inputs);

}  // namespace tidegate
