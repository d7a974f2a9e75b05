// What it costs that streams come in random order: one step of a batch whose states are picked at random from
// a table larger than any cache, as a ratio to the same step with contiguous states that stay cached. One
// thread, f32, both in one run. On an idle machine, pinned:
//   taskset -c 1 state_table_bench
#include <sys/mman.h>

#include <cmath>
#include <cstdio>
#include <memory>
#include <random>
#include <vector>

#include "engine/layers/make_layer.h"
#include "tests/bench/timing.h"

namespace tidegate {
namespace {

constexpr std::size_t kTableBytes = 128u << 20;
constexpr std::size_t kBatches = 512;  // different picks, so that none is cached when its turn comes again

// Zeroed memory in huge pages where the kernel has them.
class Table {
 public:
  explicit Table(std::size_t bytes)
      : bytes_(bytes),
        memory_(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)) {
    madvise(memory_, bytes_, MADV_HUGEPAGE);
  }
  ~Table() { munmap(memory_, bytes_); }
  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  float* floats() { return static_cast<float*>(memory_); }

 private:
  std::size_t bytes_;
  void* memory_;
};

void Run(LayerKind kind, std::size_t units, std::size_t batch) {
  const LayerSpec spec = {.kind = kind, .units = units};
  std::mt19937 random(1);
  Tensors tensors = ZeroParameters(spec, 1);
  const float bound = 1 / std::sqrt(static_cast<float>(units));
  std::uniform_real_distribution<float> uniform(-bound, bound);
  for (auto& [name, tensor] : tensors) {
    for (float& v : tensor.values) v = uniform(random);
  }
  const auto layer = MakeLayer(spec, tensors);
  const std::size_t stride = (layer->state_floats() + 15) / 16 * 16;
  const std::size_t streams = kTableBytes / (stride * sizeof(float));
  Table table(kTableBytes), near(batch * stride * sizeof(float));
  for (std::size_t i = 0; i < streams * stride; ++i) table.floats()[i] = 0.1f;
  std::vector<float*> picked, contiguous;
  for (std::size_t i = 0; i < kBatches * batch; ++i)
    picked.push_back(table.floats() + random() % streams * stride);
  for (std::size_t b = 0; b < batch; ++b) contiguous.push_back(near.floats() + b * stride);
  const float one = 1;
  const std::vector<const float*> x(batch, &one);
  std::vector<const float*> y(batch);
  Scratch scratch;
  std::size_t turn = 0;
  const auto step = [&](float* const* states) {
    scratch.Reset();
    layer->Step(x.data(), states, y.data(), batch, scratch);
  };
  const auto seconds = CompareSeconds(
      {[&] { step(contiguous.data()); }, [&] { step(&picked[turn++ % kBatches * batch]); }}, 15, 0.02);
  const double to_ns = 1e9 / static_cast<double>(batch);
  std::printf("%-4s %4zu %5zu %12.1f %10.1f %6.2f\n", KindName(kind), units, batch, seconds[0] * to_ns,
              seconds[1] * to_ns, seconds[1] / seconds[0]);
}

}  // namespace
}  // namespace tidegate

int main() {
  using tidegate::LayerKind;
  std::printf("cell    H     B   contiguous     random  ratio   (ns per stream-step, table of 128 MiB)\n");
  for (const LayerKind kind : {LayerKind::kGru, LayerKind::kLstm}) {
    for (const std::size_t units : {16, 64, 256}) {
      for (const std::size_t batch : {64, 256, 1024}) tidegate::Run(kind, units, batch);
    }
  }
}
