#pragma once

#include <cstddef>

#include "engine/tensor/scratch.h"

namespace tidegate {

// One layer of a network advanced by one time step for a batch of streams; holds packed weights only. Const
// methods are safe from any thread, each with a Scratch of its own.
class Layer {
 public:
  virtual ~Layer() = default;
  virtual std::size_t inputs() const = 0;        // I
  virtual std::size_t outputs() const = 0;       // O
  virtual std::size_t state_floats() const = 0;  // S: floats of one stream's state, zero at its start

  // x: B pointers to rows of I floats. states: B pointers to distinct states of S floats, changed in place.
  // y: set to B pointers to rows of O floats, which lie in the states or in `scratch` and stay valid until
  // either changes. The bits of a stream depend neither on its batch nor on its place in it.
  virtual void Step(const float* const* x, float* const* states, const float** y, std::size_t batch,
                    Scratch& scratch) const = 0;

  // Whether `state` [S] can be one: a layer that counts in its state says no to what is no count.
  virtual bool IsState(const float* /*state*/) const { return true; }

  // For windows, whose inputs are all there at once: a step in two parts, the same bits. 0: it has but one.
  virtual std::size_t sum_floats() const { return 0; }
  // sums [rows, sum_floats()]: what a step makes of its inputs alone, for any number of rows.
  virtual void InputSums(const float* const* /*x*/, float* /*sums*/, std::size_t /*rows*/,
                         Scratch& /*scratch*/) const {}
  // The rest of Step.
  virtual void StepFromSums(const float* /*sums*/, float* const* /*states*/, const float** /*y*/,
                            std::size_t /*batch*/, Scratch& /*scratch*/) const {}
};

}  // namespace tidegate
