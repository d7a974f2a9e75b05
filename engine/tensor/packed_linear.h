#pragma once

#include <cstddef>
#include <memory>
#include <vector>

namespace tidegate {

// y = x W^T + b for a batch of rows, with W packed once for oneDNN.
// Rows are computed in blocks of a fixed size, the last one padded, so that the bits of a row depend neither
// on the batch nor on the row's place in it. Const methods are safe from any thread, each with a Scratch of
// its own.
class PackedLinear {
 public:
  // Scratch memory of one thread, to be used with any number of PackedLinears.
  class Scratch {
   public:
    Scratch();
    ~Scratch();

   private:
    friend class PackedLinear;
    struct Impl;
    std::unique_ptr<Impl> impl_;
  };

  // weights [outputs, inputs], bias [outputs].
  PackedLinear(const float* weights, const float* bias, std::size_t outputs, std::size_t inputs);
  ~PackedLinear();
  PackedLinear(PackedLinear&&) noexcept;

  // x [rows, inputs] -> y [rows, outputs].
  void Apply(const float* x, float* y, std::size_t rows, Scratch& scratch) const;

  std::size_t inputs() const { return inputs_; }
  std::size_t outputs() const { return outputs_; }

 private:
  struct Packed;  // oneDNN's types stay in packed_linear.cc
  std::size_t outputs_;
  std::size_t inputs_;
  std::unique_ptr<const Packed> packed_;
};

}  // namespace tidegate
