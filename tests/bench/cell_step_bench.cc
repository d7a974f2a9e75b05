// Nanoseconds of one recurrent step per stream, one thread, f32: our fused kernel against oneDNN's packed
// matmul with a gate pass, oneDNN's RNN primitive and the roofline. Run on an idle machine, pinned: taskset
// -c 1 cell_step_bench
#include <omp.h>

#include <cmath>
#include <cstdio>
#include <map>
#include <memory>
#include <random>
#include <vector>

#include "engine/cells/recurrent_weights.h"
#include "engine/layers/make_layer.h"
#include "engine/tensor/elementwise.h"
#include "tests/bench/onednn_peers.h"
#include "tests/bench/roofline.h"
#include "tests/bench/timing.h"

namespace tidegate {
namespace {

Tensors RandomWeights(const LayerSpec& spec, std::size_t inputs, std::mt19937& random) {
  Tensors tensors = ZeroParameters(spec, inputs);
  const float bound = 1 / std::sqrt(static_cast<float>(spec.units));
  std::uniform_real_distribution<float> uniform(-bound, bound);
  for (auto& [name, tensor] : tensors) {
    for (float& v : tensor.values) v = uniform(random);
  }
  return tensors;
}

// Geometric means of the ratios, by batch size.
struct Ratios {
  std::map<std::size_t, std::pair<double, int>> log_sum;
  void Add(std::size_t batch, double ratio) {
    log_sum[batch].first += std::log(ratio);
    ++log_sum[batch].second;
  }
  void Print(const char* what) const {
    std::printf("%-34s", what);
    for (const auto& [batch, sum] : log_sum)
      std::printf("  B %zu: %.2f", batch, std::exp(sum.first / sum.second));
    std::printf("\n");
  }
};

class Bench {
 public:
  void Run(bool lstm, std::size_t inputs, std::size_t units, std::size_t batch) {
    const LayerSpec spec = {.kind = lstm ? LayerKind::kLstm : LayerKind::kGru, .units = units};
    const Tensors tensors = RandomWeights(spec, inputs, random_);
    const RecurrentWeights weights(tensors);
    const std::unique_ptr<const Layer> cell = MakeLayer(spec, tensors);
    const std::vector<float> x(batch * inputs, 0.5f);
    std::vector<const float*> rows(batch), outputs(batch);
    for (std::size_t b = 0; b < batch; ++b) rows[b] = &x[b * inputs];
    std::vector<float> table(batch * cell->state_floats());
    std::vector<float*> states;
    for (std::size_t b = 0; b < batch; ++b) states.push_back(&table[b * cell->state_floats()]);
    std::vector<float> h(batch * units);
    std::vector<float> s(batch * units);
    float* const cell_states = lstm ? s.data() : nullptr;
    Scratch scratch;
    const auto matmul = MakeMatmulPeer(lstm, weights, batch);
    const auto rnn = MakeRnnPeer(lstm, weights, batch);
    const std::vector<double> seconds =
        CompareSeconds({[&] {
                          scratch.Reset();
                          cell->Step(rows.data(), states.data(), outputs.data(), batch, scratch);
                        },
                        [&] { matmul->Step(x.data(), h.data(), cell_states); },
                        [&] { rnn->Step(x.data(), h.data(), cell_states); }},
                       9, 0.01);
    Report({lstm, 1, inputs, units, batch}, seconds);
  }

  void Summary() const {
    std::printf("\ngeometric means over the grid\n");
    ours_to_roofline_.Print("ours / roofline");
    matmul_to_ours_.Print("oneDNN matmul + gates / ours");
    rnn_to_ours_.Print("oneDNN RNN / ours");
  }

 private:
  void Report(const StepShape& shape, const std::vector<double>& seconds) {
    const double to_ns = 1e9 / static_cast<double>(shape.batch);
    const double ours = seconds[0] * to_ns;
    const double roofline = RooflineNs(shape);
    std::printf("%-4s %4zu %3zu %5zu %10.1f %10.1f %6.2f %10.1f %6.2f %10.1f %6.2f\n",
                shape.lstm ? "LSTM" : "GRU", shape.units, shape.inputs, shape.batch, ours, roofline,
                ours / roofline, seconds[1] * to_ns, seconds[1] / seconds[0], seconds[2] * to_ns,
                seconds[2] / seconds[0]);
    std::fflush(stdout);
    ours_to_roofline_.Add(shape.batch, ours / roofline);
    matmul_to_ours_.Add(shape.batch, seconds[1] / seconds[0]);
    rnn_to_ours_.Add(shape.batch, seconds[2] / seconds[0]);
  }

  std::mt19937 random_{1};
  Ratios ours_to_roofline_, matmul_to_ours_, rnn_to_ours_;
};

}  // namespace
}  // namespace tidegate

int main() {
  omp_set_num_threads(1);
  std::printf("%s, FMA peak %.0f GFLOP/s, reads %.0f / %.0f / %.0f GB/s at 32 KiB / 256 KiB / 4 MiB\n",
              tidegate::InstructionSet(), tidegate::FmaPeakGflops(), tidegate::ReadGbytesPerSecond(32 << 10),
              tidegate::ReadGbytesPerSecond(256 << 10), tidegate::ReadGbytesPerSecond(4 << 20));
  std::printf(
      "ns per stream-step      H   I     B       ours   roofline  ratio     matmul  /ours        RNN  "
      "/ours\n");
  tidegate::Bench bench;
  for (const bool lstm : {false, true}) {
    for (const std::size_t units : {16, 32, 64, 128, 256}) {
      for (const std::size_t inputs : {1, 8}) {
        for (const std::size_t batch : {1, 4, 16, 64, 256, 1024}) bench.Run(lstm, inputs, units, batch);
      }
    }
  }
  bench.Summary();
}
