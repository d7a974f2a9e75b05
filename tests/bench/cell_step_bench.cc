// Nanoseconds of one recurrent step (T = 1) per stream, one thread, f32: ours against oneDNN's packed matmul
// with a gate pass, oneDNN's RNN primitive, PyTorch and ONNX Runtime where they are installed, and the
// roofline, in one run. On an idle machine, pinned:
//   TIDEGATE_BENCH_PYTHON=python3 taskset -c 1 cell_step_bench
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "engine/cells/recurrent_weights.h"
#include "engine/layers/layer_stack.h"
#include "engine/tensor/elementwise.h"
#include "engine/tensor/precision.h"
#include "tests/bench/framework_peers.h"
#include "tests/bench/onednn_peers.h"
#include "tests/bench/roofline.h"
#include "tests/bench/timing.h"

namespace tidegate {
namespace {

// One network and its peers' inputs and states, aligned as a table of streams would be.
class Problem {
 public:
  Problem(const StepShape& shape, std::mt19937& random)
      : shape_(shape), x_(shape.batch * shape.inputs, 0.5f) {
    const LayerSpec spec = {.kind = shape.lstm ? LayerKind::kLstm : LayerKind::kGru, .units = shape.units};
    std::vector<LayerSpec> specs(shape.layers, spec);
    if (shape.filters > 0) {
      specs.insert(
          specs.begin(),
          {.kind = LayerKind::kConv1d, .units = shape.filters, .kernel = StepShape::kKernel, .relu = true});
    }
    std::size_t inputs = shape.inputs;
    Tensors all;
    for (std::size_t layer = 0; layer < specs.size(); ++layer) {
      Tensors tensors = ZeroParameters(specs[layer], inputs);
      const float bound = 1 / std::sqrt(static_cast<float>(shape.units));
      std::uniform_real_distribution<float> uniform(-bound, bound);
      for (auto& [name, tensor] : tensors) {
        for (float& v : tensor.values) v = uniform(random);
        all[std::to_string(layer) + "." + name] = tensor;
      }
      inputs = OutputsOf(specs[layer]);
      if (!IsRecurrent(specs[layer].kind)) continue;
      weights_.emplace_back(tensors);
      h_.emplace_back(shape.batch * shape.units);
      s_.emplace_back(shape.batch * shape.units);
    }
    const auto make = [&](Precision precision, const Tensors& tensors) {
      return std::make_unique<const LayerStack>(specs, shape.inputs, LayerStack::Chains::kSingle, tensors,
                                                precision);
    };
    stack_ = make(Precision::kF32, all);
    for (auto& [name, tensor] : all) {
      for (float& v : tensor.values) v = RoundToBf16(v);
    }
    bf16_stack_ = make(Precision::kBf16, all);
    const std::size_t stride = (stack_->state_floats() + 15) / 16 * 16;
    table_.resize(shape.batch * stride + 16);
    float* first = table_.data();
    while (reinterpret_cast<std::uintptr_t>(first) % 64 != 0) ++first;
    for (std::size_t b = 0; b < shape.batch; ++b) {
      rows_.push_back(&x_[b * shape.inputs]);
      states_.push_back(first + b * stride);
    }
  }

  void Ours() { Step(*stack_); }
  void OursInBf16() { Step(*bf16_stack_); }

  // A peer that steps one layer at a time, made by `make`.
  template <typename Make>
  std::function<void()> Peer(Make make) {
    std::vector<decltype(make(shape_.lstm, weights_[0], shape_.batch))> layers;
    for (const RecurrentWeights& weights : weights_)
      layers.push_back(make(shape_.lstm, weights, shape_.batch));
    auto shared = std::make_shared<decltype(layers)>(std::move(layers));
    return [this, shared] {
      const float* x = x_.data();
      for (std::size_t layer = 0; layer < shared->size(); ++layer) {
        (*shared)[layer]->Step(x, h_[layer].data(), shape_.lstm ? s_[layer].data() : nullptr);
        x = h_[layer].data();
      }
    };
  }

 private:
  void Step(const LayerStack& stack) {
    scratch_.Reset();
    stack.Step(rows_.data(), states_.data(), shape_.batch, scratch_);
  }

  StepShape shape_;
  std::vector<float> x_, table_;
  std::vector<RecurrentWeights> weights_;
  std::vector<std::vector<float>> h_, s_;  // of the peers, by layer
  std::unique_ptr<const LayerStack> stack_, bf16_stack_;
  std::vector<const float*> rows_;
  std::vector<float*> states_;
  Scratch scratch_;
};

// Geometric means and extremes of a ratio, by batch size.
class Ratios {
 public:
  void Add(std::size_t batch, double ratio) {
    Sum& sum = by_batch_[batch];
    sum.log += std::log(ratio);
    sum.least = sum.count == 0 ? ratio : std::min(sum.least, ratio);
    sum.most = std::max(sum.most, ratio);
    ++sum.count;
  }
  void Print(const std::string& what) const {
    std::printf("%-30s", what.c_str());
    for (const auto& [batch, sum] : by_batch_) {
      std::printf("  B %zu: %.2f (%.2f-%.2f)", batch, std::exp(sum.log / sum.count), sum.least, sum.most);
    }
    std::printf("\n");
  }

 private:
  struct Sum {
    double log = 0, least = 0, most = 0;
    int count = 0;
  };
  std::map<std::size_t, Sum> by_batch_;
};

class Bench {
 public:
  void Run(const StepShape& shape) {
    Problem problem(shape, random_);
    const std::vector<double> seconds =
        CompareSeconds({[&] { problem.Ours(); }, problem.Peer(MakeMatmulPeer), problem.Peer(MakeRnnPeer),
                        [&] { problem.OursInBf16(); }},
                       9, 0.01);
    const double to_ns = 1e9 / static_cast<double>(shape.batch);
    const double ours = seconds[0] * to_ns, roofline = RooflineNs(shape);
    std::printf("%-4s %zu %4zu %3zu %5zu %10.1f  roofline %10.1f %5.2f", shape.lstm ? "LSTM" : "GRU",
                shape.layers, shape.units, shape.inputs, shape.batch, ours, roofline, ours / roofline);
    ratios_["1 ours / roofline"].Add(shape.batch, ours / roofline);
    if (shape.units >= 64) ratios_["2 ours / roofline, H >= 64"].Add(shape.batch, ours / roofline);
    const auto report = [&](const std::string& name, double ns) {
      std::printf("  %s %10.1f %6.2f", name.c_str(), ns, ns / ours);
      ratios_["3 " + name + " / ours"].Add(shape.batch, ns / ours);
    };
    report("matmul", seconds[1] * to_ns);
    report("RNN", seconds[2] * to_ns);
    for (const auto& [name, ns] : frameworks_.Measure(shape)) report(name, ns);
    ReportBf16(shape, seconds[3] * to_ns, ours);
    std::printf("\n");
    std::fflush(stdout);
  }

  // The whole network against its roofline and the frameworks; oneDNN has no such step.
  void RunConvolved(const StepShape& shape) {
    Problem problem(shape, random_);
    const double ours =
        CompareSeconds({[&] { problem.Ours(); }}, 9, 0.01)[0] * 1e9 / static_cast<double>(shape.batch);
    const double roofline = RooflineNs(shape);
    std::printf("CNN-%-4s %4zu %3zu %5zu %10.1f  roofline %10.1f %5.2f", shape.lstm ? "LSTM" : "GRU",
                shape.units, shape.inputs, shape.batch, ours, roofline, ours / roofline);
    ratios_["6 CNN: ours / roofline"].Add(shape.batch, ours / roofline);
    for (const auto& [name, ns] : frameworks_.Measure(shape)) {
      std::printf("  %s %10.1f %6.2f", name.c_str(), ns, ns / ours);
      ratios_["7 CNN: " + name + " / ours"].Add(shape.batch, ns / ours);
    }
    std::printf("\n");
    std::fflush(stdout);
  }

  void Summary() const {
    std::printf("\ngeometric means over the grid (least-most)\n");
    for (const auto& [name, ratios] : ratios_) ratios.Print(name.substr(2));
  }

 private:
  void ReportBf16(StepShape shape, double ns, double f32_ns) {
    shape.bf16 = true;
    const double roofline = RooflineNs(shape);
    std::printf("  bf16 %10.1f roofline %10.1f %5.2f f32/bf16 %5.2f", ns, roofline, ns / roofline,
                f32_ns / ns);
    ratios_["4 bf16 / its roofline"].Add(shape.batch, ns / roofline);
    ratios_["5 f32 / bf16, H " + std::to_string(shape.units)].Add(shape.batch, f32_ns / ns);
  }

  std::mt19937 random_{1};
  FrameworkPeers frameworks_;
  std::map<std::string, Ratios> ratios_;
};

}  // namespace
}  // namespace tidegate

int main() {
  omp_set_num_threads(1);
  std::printf(
      "%s, FMA peak %.0f GFLOP/s, of bf16 pairs %.0f, reads %.0f / %.0f / %.0f GB/s at 32 KiB / 256 KiB / 4 "
      "MiB\n",
      tidegate::InstructionSet(), tidegate::FmaPeakGflops(), tidegate::PairPeakGflops(),
      tidegate::ReadGbytesPerSecond(32 << 10), tidegate::ReadGbytesPerSecond(256 << 10),
      tidegate::ReadGbytesPerSecond(4 << 20));
  std::printf("cell L    H   I     B  ns per stream-step, then of each peer its ns and its ratio\n");
  tidegate::Bench bench;
  for (const std::size_t layers : {1, 2}) {
    for (const bool lstm : {false, true}) {
      for (const std::size_t units : {16, 32, 64, 128, 256}) {
        for (const std::size_t inputs : {1, 8}) {
          for (const std::size_t batch : {1, 4, 16, 64, 256, 1024}) {
            bench.Run({.lstm = lstm, .layers = layers, .inputs = inputs, .units = units, .batch = batch});
          }
        }
      }
    }
  }
  for (const bool lstm : {false, true}) {
    for (const std::size_t inputs : {1, 8}) {
      for (const std::size_t batch : {1, 4, 16, 64, 256, 1024}) {
        bench.RunConvolved(
            {.lstm = lstm, .layers = 1, .inputs = inputs, .units = 64, .batch = batch, .filters = 16});
      }
    }
  }
  bench.Summary();
}
