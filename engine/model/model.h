#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/model/spec.h"
#include "engine/stream/calibration_table.h"
#include "engine/stream/layout.h"
#include "engine/stream/residual_table.h"
#include "engine/tensor/packed_linear.h"
#include "engine/tensor/scratch.h"
#include "engine/tensor/tensors.h"

namespace tidegate {

// What the bits of a step depend on beside the model and the stream: "kernels 1, avx512_bf16".
std::string StepBuild();

class LayerStack;
class ParallelHead;
class QuantileHead;

// A network ready to serve: its spec, its packed weights and nothing that changes. The state of every stream
// is a flat run of state_floats() floats owned by the caller, zero at the stream's start:
//   stateful: the states of the layers (layer_stack.h)
//   windowed: the number of readings so far, up to the window, then the inputs of the last of them [window,
//   I],
//             oldest first
// then, each only if the spec asks for it: the number of readings and the target's last levels
// [1 + linear_context] (linear path), the target's last level [1] (recursive head, level inputs), the channel
// [1] (parallel head, channels).
//
// Const methods are safe from any thread, each thread with a Workspace of its own. The bits of a stream's
// output do not depend on the other streams of its batch, on its place in the batch or on the size of the
// batch.
class Model {
 public:
  // Scratch memory of one thread; grows to the largest batch seen, then allocates no more.
  using Workspace = Scratch;

  // Checks and packs. Tensors:
  //   layers.<i>.<name>      of layer i: ZeroParameters in layer_spec.h
  //   head.weight [horizon*Q, O], head.bias [horizon*Q]     recursive: [Q, O], [Q]; parallel: parallel_head.h
  //   linear.weight [horizon, L], linear.bias [horizon]     y = W (levels - last level) + b, unit of the head
  //   mixing.network [horizon]                              weight of the network beside the linear path
  //                                         these three with a first dimension C if the spec has a map for
  //                                         each channel
  //   cycle.table [n, F]                    unit of the features; [n, C] if the channels have scales
  //   residuals.quantiles [K], residuals.count [1]          see ResidualTable
  //   calibration.ratios [K*(Q-1), 101]     may be missing; see CalibrationTable; K scored steps
  //   golden.values [T, F]                  readings one interval apart, the first at time 0,
  //   golden.forecast [horizon, Q]          and the forecast after them, before calibration
  // InvalidArgument: a tensor is missing, has another shape, or values that are not of the spec's
  // precision.
  static absl::StatusOr<std::shared_ptr<const Model>> Create(ModelSpec spec, const Tensors& tensors);
  ~Model();

  const ModelSpec& spec() const { return spec_; }
  const ResidualTable& residuals() const { return residuals_; }
  const CalibrationTable& calibration() const { return calibration_; }
  std::size_t state_floats() const { return state_floats_; }
  const StreamLayout& layout() const { return layout_; }  // of a stream's floats, its state the first of them
  std::size_t parameters() const { return parameters_; }  // trained floats
  // [n, cycle_columns()]: what a cyclic model subtracts, by CycleRow. Empty: not cyclic.
  std::span<const float> cycle() const { return cycle_; }

  // All trained tensors of a spec that passes CheckSpec: layers, head, linear path, mixing, cycle. Zero, or
  // their shapes alone, for which no memory is taken.
  static Tensors ZeroParameters(const ModelSpec& spec);
  static Shapes ParameterShapes(const ModelSpec& spec);

  // Advances B streams by one step. inputs [B, spec().inputs()]: scaled, the channel's number as it is.
  // states: B pointers to distinct states, changed in place. outputs [B, horizon, Q]: rising quantiles of
  // (target(t+h) - target(t)) / step_deviation[h].
  void Step(std::span<const float> inputs, std::span<float* const> states, std::span<float> outputs,
            Workspace& workspace) const;

  // Whether `state` [state_floats()] can have been made by Step, so that Step can go on from it.
  bool IsState(std::span<const float> state) const;

  // The outputs of B streams from their present states, the same bits as the Step that led there.
  void Decode(std::span<float* const> states, std::span<float> outputs, Workspace& workspace) const;

 private:
  Model(ModelSpec spec, const Tensors& tensors);

  struct Offsets {  // of parts of a stream's state
    std::size_t linear = 0, level = 0, channel = 0;
  };
  // Keeps of a scaled input row what the forecast needs beside the layers' states.
  void Remember(const float* input, float* state) const;
  // The forecast of the network alone, in model_forecast.cc: from the present states of a stateful model.
  void ForecastFromStates(float* const* states, std::size_t batch, float* outputs, Scratch& scratch) const;
  // The same of a windowed model.
  void ForecastFromWindows(float* const* states, std::size_t batch, float* outputs, Scratch& scratch) const;
  // outputs [B, horizon, Q] from the layers' outputs y (rows of O floats) by the head.
  void ApplyHead(const float* const* y, float* const* states, std::size_t batch, float* outputs,
                 Scratch& scratch) const;
  // Of the stream with this state; 0 without channels.
  std::size_t ChannelOf(const float* state) const;
  void RollOut(float* const* states, std::size_t batch, float* outputs, Scratch& scratch) const;
  // Mixes the linear path into `outputs`.
  void MixLinear(float* const* states, std::size_t batch, float* outputs, Scratch& scratch) const;

  ModelSpec spec_;
  ResidualTable residuals_;
  CalibrationTable calibration_;
  std::size_t state_floats_ = 0;
  StreamLayout layout_;
  std::size_t parameters_ = 0;
  Offsets offsets_;
  std::vector<float> cycle_;   // [n, cycle_columns()]
  std::vector<float> mixing_;  // [linear_maps(), horizon]: weight of the network
  std::unique_ptr<const LayerStack> layers_;
  std::unique_ptr<const QuantileHead> head_;      // null with a parallel head
  std::unique_ptr<const ParallelHead> parallel_;  // null with another
  std::vector<PackedLinear> linear_;              // [linear_maps()]; empty without a linear path
};

}  // namespace tidegate
