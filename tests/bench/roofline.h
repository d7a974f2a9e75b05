#pragma once

#include <cstddef>

namespace tidegate {

// What one core of this machine can do, measured when first asked for (about a second in all).
double FmaPeakGflops();                         // f32, widest vectors, all operands in registers
double PairPeakGflops();                        // the same of bf16 pairs, summed in f32
double ReadGbytesPerSecond(std::size_t bytes);  // reading a working set of so many bytes again and again

// The least time of one recurrent step for one of `batch` streams, ns: the larger of arithmetic and memory.
//   arithmetic: 2 * gates * H * (I + H) FLOP per layer at the peak of the weights' type, plus the gate maths,
//               taken as 0.55 ns (GRU) or 0.68 ns (LSTM) per unit at 239 GFLOP/s and scaled by the f32 peak
//               With a convolution below: 2 * filters * kernel * I FLOP more, the filters being the layers'
//               inputs.
//   memory:     weights (once per batch), inputs and states, at the bandwidth of the working set they make up
struct StepShape {
  bool lstm;
  std::size_t layers, inputs, units, batch;
  bool bf16 = false;        // weights
  std::size_t filters = 0;  // of a convolution over the last kKernel readings; 0: none
  static constexpr std::size_t kKernel = 5;
};
double RooflineNs(const StepShape& shape);

}  // namespace tidegate
