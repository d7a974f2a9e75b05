// Seconds of one training step (forward, backward, update) of one recurrent layer under a dense head: ours as
// `tidegate train` runs it, against PyTorch where it is installed and against the GEMM bound, in one run. On
// an idle machine:
//   TIDEGATE_BENCH_PYTHON=python3 train_step_bench
// The GEMM bound is the time of the step's products alone, by oneDNN in the shapes that the step needs them
// in: inputs of the whole sequence, state of each step, both back, and the gradients of the weights. With two
// threads each has half of the batch, as in training. All times are the least of many.
#include <omp.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <functional>
#include <limits>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "engine/tensor/elementwise.h"
#include "engine/tensor/gemm.h"
#include "engine/train/learner.h"
#include "tests/bench/framework_peers.h"
#include "tests/bench/roofline.h"
#include "tests/bench/timing.h"

namespace tidegate {
namespace {

constexpr std::size_t kBatch = 32, kInputs = 8;
constexpr int kRounds = 3;
constexpr double kSeconds = 0.3;  // of one measurement

struct Shape {
  bool lstm;
  std::size_t units, steps, threads;
  std::size_t gates() const { return lstm ? 4 : 3; }
};

// Training steps by the learner itself, on one series cut into sequences for one batch.
class Ours {
 public:
  explicit Ours(const Shape& shape) {
    spec_.layers = {{.kind = shape.lstm ? LayerKind::kLstm : LayerKind::kGru, .units = shape.units}};
    spec_.features.resize(kInputs);
    spec_.horizon = 1;
    spec_.quantiles = {0.5f};
    spec_.step_deviation = {1};
    options_.sequence_length = options_.truncation = shape.steps;
    options_.warm_up = 0;
    options_.batch = kBatch;
    loss_ = {.kind = LossKind::kMse, .quantiles = spec_.quantiles};
    const std::size_t spacing = shape.steps / 4;
    const std::size_t rows = shape.steps + (kBatch - 1) * spacing;
    Random random(1);
    PreparedSeries series;
    series.inputs = Matrix(rows, kInputs);
    for (float& v : series.inputs.values) v = random.Uniform(1);
    for (std::size_t t = 0; t < rows; ++t) series.values.push_back(random.Uniform(1));
    series.origin = series.values;
    series.scale.assign(rows, 1);
    series.split = rows;
    data_.push_back(std::move(series));
    learner_ = std::make_unique<Learner>(spec_, options_, data_, loss_, shape.threads);
  }
  void Step() { learner_->Epoch(1e-3); }

 private:
  ModelSpec spec_;
  TrainOptions options_;
  std::vector<PreparedSeries> data_;
  Loss loss_;
  std::unique_ptr<Learner> learner_;
};

// The products of a step for `batch` sequences, nothing else.
class Products {
 public:
  Products(const Shape& shape, std::size_t batch)
      : shape_(shape),
        batch_(batch),
        x_(shape.steps * batch * kInputs, 0.1f),
        h_(shape.steps * batch * shape.units, 0.1f),
        sums_(shape.steps * batch * shape.gates() * shape.units, 0.1f),
        w_(shape.gates() * shape.units * (kInputs + shape.units), 0.1f) {}

  void Run() {
    const std::size_t rows = shape_.steps * batch_, units = shape_.units, width = shape_.gates() * units;
    float* const u = w_.data() + width * kInputs;
    Gemm(Transpose::kNo, Transpose::kYes, rows, width, kInputs, x_.data(), w_.data(), sums_.data(), false);
    for (std::size_t row = 0; row < rows; row += batch_)
      Gemm(Transpose::kNo, Transpose::kYes, batch_, width, units, &h_[row * units], u, &sums_[row * width],
           false);
    for (std::size_t row = 0; row < rows; row += batch_)
      Gemm(Transpose::kNo, Transpose::kNo, batch_, units, width, &sums_[row * width], u, &h_[row * units],
           false);
    Gemm(Transpose::kYes, Transpose::kNo, width, kInputs, rows, sums_.data(), x_.data(), w_.data(), false);
    Gemm(Transpose::kYes, Transpose::kNo, width, units, rows, sums_.data(), h_.data(), u, false);
  }

 private:
  Shape shape_;
  std::size_t batch_;
  std::vector<float> x_, h_, sums_, w_;
};

// The least of as many runs as take about so many seconds.
double BestFor(double seconds, const std::function<void()>& run) {
  return BestSeconds(std::max(3, static_cast<int>(seconds / Seconds(run))), run);
}

double BoundSeconds(const Shape& shape) {
  std::vector<Products> parts(shape.threads, Products(shape, kBatch / shape.threads));
  const auto run = [&parts] {
    std::vector<std::jthread> others;
    for (std::size_t p = 1; p < parts.size(); ++p) {
      others.emplace_back([&parts, p] {
        omp_set_num_threads(1);
        parts[p].Run();
      });
    }
    omp_set_num_threads(1);
    parts[0].Run();
  };
  return BestFor(kSeconds, run);
}

double Median(std::vector<double> values) {
  if (values.empty()) return std::numeric_limits<double>::quiet_NaN();
  std::ranges::sort(values);
  return values[values.size() / 2];
}

struct Ratios {
  std::vector<double> torch, bound;
};

// In turns, so that other work on the machine meets all alike; the least of each.
void Run(const Shape& shape, FrameworkPeers& peers, Ratios& all, Ratios& of_units) {
  omp_set_num_threads(static_cast<int>(shape.threads));
  Ours ours(shape);
  const std::string line = std::string(shape.lstm ? "lstm " : "gru ") + std::to_string(kInputs) + " " +
                           std::to_string(shape.units) + " " + std::to_string(kBatch) + " " +
                           std::to_string(shape.steps) + " " + std::to_string(shape.threads);
  double seconds = std::numeric_limits<double>::infinity(), bound = seconds;
  std::map<std::string, double> frameworks;
  for (int round = 0; round < kRounds; ++round) {
    seconds = std::min(seconds, BestFor(kSeconds, [&] { ours.Step(); }));
    bound = std::min(bound, BoundSeconds(shape));
    for (const auto& [name, peer] : peers.Ask(line)) {
      double& best = frameworks.try_emplace(name, peer).first->second;
      best = std::min(best, peer);
    }
  }
  const double flops = 2.0 * 3 * static_cast<double>(kBatch * shape.steps * shape.gates() * shape.units) *
                       static_cast<double>(shape.units + kInputs);
  std::printf("%-4s %4zu %5zu %8zu %9.3f ms %6.1f GFLOP/s  GEMM %9.3f ms %5.2f", shape.lstm ? "LSTM" : "GRU",
              shape.units, shape.steps, shape.threads, 1e3 * seconds, flops / seconds / 1e9, 1e3 * bound,
              seconds / bound);
  all.bound.push_back(seconds / bound);
  of_units.bound.push_back(seconds / bound);
  for (const auto& [name, peer] : frameworks) {
    std::printf("  %s %9.3f ms %6.2f", name.c_str(), 1e3 * peer, peer / seconds);
    all.torch.push_back(peer / seconds);
    of_units.torch.push_back(peer / seconds);
  }
  std::printf("\n");
  std::fflush(stdout);
}

}  // namespace
}  // namespace tidegate

int main() {
  std::printf("%s, FMA peak %.0f GFLOP/s of one core; batch %zu, %zu inputs\n", tidegate::InstructionSet(),
              tidegate::FmaPeakGflops(), tidegate::kBatch, tidegate::kInputs);
  std::printf(
      "cell    H     T  threads   ours; the GEMM bound and ours by it; PyTorch and PyTorch by ours\n");
  tidegate::FrameworkPeers peers("train_peers.py");
  tidegate::Ratios all;
  for (const std::size_t units : {64, 128}) {
    tidegate::Ratios of_units;
    for (const bool lstm : {false, true}) {
      for (const std::size_t steps : {50, 100, 200}) {
        for (const std::size_t threads : {1, 2})
          tidegate::Run({lstm, units, steps, threads}, peers, all, of_units);
      }
    }
    std::printf("H = %zu, medians: ours / GEMM bound %.2f, PyTorch / ours %.2f\n", units,
                tidegate::Median(of_units.bound), tidegate::Median(of_units.torch));
  }
  std::printf("medians: ours / GEMM bound %.2f, PyTorch / ours %.2f\n", tidegate::Median(all.bound),
              tidegate::Median(all.torch));
}
