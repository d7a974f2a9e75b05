#pragma once

#include <cstddef>
#include <vector>

#include "engine/tensor/packed_linear.h"

namespace tidegate {

// One recurrent layer advanced by one time step for a batch of streams; holds packed weights only.
// Const methods are safe from any thread, each with a Workspace of its own.
class Cell {
 public:
  // Scratch memory of one thread, for any number of cells.
  struct Workspace {
    PackedLinear::Scratch linear;
    std::vector<float> input_product;   // [B, G*H]
    std::vector<float> hidden_product;  // [B, G*H]
    std::vector<float> hidden;          // [B, H]: h of the streams, gathered
  };

  virtual ~Cell() = default;
  virtual std::size_t inputs() const = 0;        // I
  virtual std::size_t units() const = 0;         // H: width of the output
  virtual std::size_t state_floats() const = 0;  // floats of one stream's state; the first H are its output h

  // x [B, I]: inputs. states: B pointers to distinct states of state_floats(), changed in place.
  virtual void Step(const float* x, float* const* states, std::size_t batch, Workspace& workspace) const = 0;

 protected:
  // Fills the workspace with the two products of a step, W x + b and U h + c [B, G*H], h being the first H
  // floats of each state.
  static void Products(const PackedLinear& input, const PackedLinear& hidden, const float* x,
                       float* const* states, std::size_t batch, Workspace& workspace);
};

}  // namespace tidegate
