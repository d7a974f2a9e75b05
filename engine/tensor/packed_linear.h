#pragma once

#include <cstddef>
#include <vector>

namespace tidegate {

// y = W x + b for a batch of rows, with W packed once for the vectors of this CPU.
// Every output is summed in one order, bias first, then inputs ascending, so that the bits of a row depend
// neither on the batch nor on the row's place in it. A kernel of our own for the same reasons as
// StepKernel. Const methods are safe from any thread.
class PackedLinear {
 public:
  // weights [outputs, inputs], bias [outputs].
  PackedLinear(const float* weights, const float* bias, std::size_t outputs, std::size_t inputs);

  // x: pointers to `rows` rows of `inputs` floats. y [rows, outputs].
  void Apply(const float* const* x, float* y, std::size_t rows) const;

  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return outputs_; }

 private:
  std::size_t outputs_;
  std::size_t inputs_;
  // For each panel of as many outputs as a vector holds: the biases, then for each input the weights; a
  // vector each. Missing outputs of the last panel are zero.
  std::vector<float> panels_;
};

}  // namespace tidegate
