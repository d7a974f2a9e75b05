#include "engine/layers/run_window.h"

#include <algorithm>

namespace tidegate {
namespace {

constexpr std::size_t kRowsTogether = 48;

}  // namespace

void RunWindow(const Layer& layer, const float* const* x, std::size_t steps, std::size_t batch,
               Scratch& scratch, const float** y, float** states) {
  const std::size_t width = layer.outputs(), floats = layer.state_floats();
  float* const rows = scratch.Take<float>(steps * batch * width);
  float* const state = scratch.Take<float>(batch * floats);
  std::fill_n(state, batch * floats, 0.0f);
  for (std::size_t b = 0; b < batch; ++b) states[b] = state + b * floats;
  // The inputs' share for as many steps at once as fill the kernels' tiles; more would leave the cache.
  const std::size_t sum_floats = layer.sum_floats();
  const std::size_t together = sum_floats == 0 ? 1 : std::min(steps, (kRowsTogether + batch - 1) / batch);
  float* const sums = scratch.Take<float>(sum_floats * together * batch);
  for (std::size_t t = 0; t < steps; ++t) {
    const float** const now = y + t * batch;
    if (sum_floats == 0) {
      layer.Step(x + t * batch, states, now, batch, scratch);
    } else {
      const std::size_t ahead = t % together;
      if (ahead == 0) layer.InputSums(x + t * batch, sums, std::min(together, steps - t) * batch, scratch);
      layer.StepFromSums(sums + ahead * batch * sum_floats, states, now, batch, scratch);
    }
    for (std::size_t b = 0; b < batch; ++b) {
      float* const row = rows + (t * batch + b) * width;
      std::copy_n(now[b], width, row);  // what `now` points to may be the state, which moves on
      now[b] = row;
    }
  }
}

}  // namespace tidegate
