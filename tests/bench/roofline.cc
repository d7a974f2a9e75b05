#include "tests/bench/roofline.h"

#include <algorithm>
#include <map>
#include <vector>

#include "tests/bench/bench_isa.h"
#include "tests/bench/timing.h"

namespace tidegate {

namespace {

double Gflops(double (*run)(std::size_t rounds)) {
  constexpr std::size_t kRounds = 200'000;
  double flops = 0;
  const double seconds = BestSeconds(9, [&] { flops = run(kRounds); });
  return flops / seconds / 1e9;
}

}  // namespace

double FmaPeakGflops() {
  static const double peak = Gflops(ChosenBenchFunctions().multiply_add);
  return peak;
}

double PairPeakGflops() {
  static const double peak = Gflops(ChosenBenchFunctions().multiply_pairs);
  return peak;
}

double ReadGbytesPerSecond(std::size_t bytes) {
  static std::map<std::size_t, double> known;  // by size rounded to a power of two
  std::size_t size = 4096;
  while (size < bytes) size *= 2;
  if (const auto found = known.find(size); found != known.end()) return found->second;
  const std::vector<float> values(size / sizeof(float), 1.0f);
  const std::size_t rounds = std::max<std::size_t>(1, (64u << 20) / size);
  const double seconds = BestSeconds(7, [&] {
    for (std::size_t i = 0; i < rounds; ++i) ChosenBenchFunctions().read(values.data(), values.size());
  });
  return known[size] = static_cast<double>(size * rounds) / seconds / 1e9;
}

double RooflineNs(const StepShape& shape) {
  const double gates = shape.lstm ? 4 : 3;
  const double unit_ns = (shape.lstm ? 0.68 : 0.55) * 239 / FmaPeakGflops();
  const auto h = static_cast<double>(shape.units);
  double weights = 0;  // floats
  double inputs = static_cast<double>(shape.inputs);
  double past = 0;  // floats of a stream
  if (shape.filters > 0) {
    const auto filters = static_cast<double>(shape.filters);
    weights = filters * StepShape::kKernel * inputs;
    past = (StepShape::kKernel - 1) * inputs;
    inputs = filters;
  }
  for (std::size_t layer = 0; layer < shape.layers; ++layer) {
    weights += gates * h * (inputs + h);
    inputs = h;
  }
  const auto layers = static_cast<double>(shape.layers);
  const auto batch = static_cast<double>(shape.batch);
  const double peak = shape.bf16 ? PairPeakGflops() : FmaPeakGflops();
  const double arithmetic = 2 * weights / peak + unit_ns * h * layers;
  const double state = (shape.lstm ? 2 : 1) * h * layers + past;
  const double bytes =
      (shape.bf16 ? 2 : 4) * weights + 4 * batch * (2 * state + static_cast<double>(shape.inputs));
  const double memory = bytes / ReadGbytesPerSecond(static_cast<std::size_t>(bytes)) / batch;
  return std::max(arithmetic, memory);
}

}  // namespace tidegate
