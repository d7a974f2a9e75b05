#pragma once

#include <cstddef>

#include "engine/cells/step_kernel.h"

namespace tidegate {

// One recurrent layer advanced by one time step for a batch of streams; holds packed weights only.
// Const methods are safe from any thread, each with a Workspace of its own.
class Cell {
 public:
  // Scratch memory of one thread, for any number of cells.
  using Workspace = StepKernel::Scratch;

  virtual ~Cell() = default;
  virtual std::size_t inputs() const = 0;        // I
  virtual std::size_t units() const = 0;         // H: width of the output
  virtual std::size_t state_floats() const = 0;  // floats of one stream's state; the first H are its output h

  // x [B, I]: inputs. states: B pointers to distinct states of state_floats(), changed in place. The bits of
  // a stream depend neither on its batch nor on its place in it.
  virtual void Step(const float* x, float* const* states, std::size_t batch, Workspace& workspace) const = 0;
};

}  // namespace tidegate
