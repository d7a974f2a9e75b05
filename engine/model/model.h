#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/model/spec.h"
#include "engine/model/tensors.h"
#include "engine/stream/residual_table.h"

namespace tidegate {

class Cell;
class QuantileHead;

// A network ready to serve: its spec, its packed weights and nothing that changes. The state of every stream
// is a flat run of state_floats() floats owned by the caller, zero at the stream's start: for each layer in
// order the hidden state h [H], then for an LSTM the cell state c [H]. Const methods are safe from any
// thread, each thread with a Workspace of its own. The bits of a stream's output do not depend on the other
// streams of its batch, on its place in the batch or on the size of the batch.
class Model {
 public:
  // Scratch memory of one thread; grows to the largest batch seen, then allocates no more.
  class Workspace {
   public:
    Workspace();
    ~Workspace();
    Workspace(Workspace&&) noexcept;
    Workspace& operator=(Workspace&&) noexcept;

   private:
    friend class Model;
    struct Buffers;
    std::unique_ptr<Buffers> buffers_;
  };

  // Checks and packs. Tensors:
  //   layers.<i>.weight_ih [G*H, I], .weight_hh [G*H, H], .bias_ih [G*H], .bias_hh [G*H]   gates as in
  //   PyTorch head.weight [horizon*Q, H], head.bias [horizon*Q] residuals.quantiles [K], residuals.count [1]
  //   see ResidualTable golden.values [T, F], golden.forecast [horizon, Q]  readings one interval apart and
  //   the forecast after them
  // InvalidArgument: a tensor is missing, or has another shape.
  static absl::StatusOr<std::shared_ptr<const Model>> Create(ModelSpec spec, const Tensors& tensors);
  ~Model();

  const ModelSpec& spec() const { return spec_; }
  const ResidualTable& residuals() const { return residuals_; }
  std::size_t state_floats() const { return state_floats_; }
  std::size_t parameters() const { return parameters_; }  // trained floats: layers and head

  // Advances B streams by one step. inputs [B, spec().inputs()]: scaled. states: B pointers to distinct
  // states, changed in place. outputs [B, horizon, Q]: rising quantiles of (target(t+h) - target(t)) /
  // step_deviation[h].
  void Step(std::span<const float> inputs, std::span<float* const> states, std::span<float> outputs,
            Workspace& workspace) const;

  // The outputs of B streams from their present states, the same bits as the Step that led there.
  void Decode(std::span<float* const> states, std::span<float> outputs, Workspace& workspace) const;

 private:
  Model(ModelSpec spec, const Tensors& tensors);

  ModelSpec spec_;
  ResidualTable residuals_;
  std::size_t state_floats_ = 0;
  std::size_t parameters_ = 0;
  std::vector<std::unique_ptr<const Cell>> cells_;
  std::unique_ptr<const QuantileHead> head_;
};

}  // namespace tidegate
