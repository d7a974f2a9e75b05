// How a model's states become forecasts; declared in model.h.
#include <algorithm>
#include <cmath>

#include "engine/layers/layer_stack.h"
#include "engine/layers/parallel_head.h"
#include "engine/layers/quantile_head.h"
#include "engine/model/model.h"
#include "engine/stream/stream.h"

namespace tidegate {
namespace {

constexpr std::size_t kWindowsTogether = 32;  // so that the scratch memory of long windows stays small
constexpr float kLeastDeviation = 1e-3f;      // of a window that hardly varies, in deviations of training

// Mean and deviation of each column of a window, and the window in that scale.
struct WindowScale {
  float mean = 0;
  float deviation = 1;
};

WindowScale ScaleOfColumn(const float* rows, std::size_t count, std::size_t width) {
  double sum = 0;
  for (std::size_t t = 0; t < count; ++t) sum += rows[t * width];
  const double mean = sum / static_cast<double>(count);
  double squares = 0;
  for (std::size_t t = 0; t < count; ++t) squares += (rows[t * width] - mean) * (rows[t * width] - mean);
  const double deviation = std::sqrt(squares / static_cast<double>(count));
  return {static_cast<float>(mean), std::max(static_cast<float>(deviation), kLeastDeviation)};
}

}  // namespace

std::size_t Model::ChannelOf(const float* state) const {
  return offsets_.channel != 0 ? spec_.ChannelOf(state[offsets_.channel]) : 0;
}

void Model::ApplyHead(const float* const* y, float* const* states, std::size_t batch, float* outputs,
                      Scratch& scratch) const {
  if (head_ != nullptr) return head_->Apply(y, outputs, batch);
  std::size_t* const channels = scratch.Take<std::size_t>(batch);
  for (std::size_t b = 0; b < batch; ++b) channels[b] = ChannelOf(states[b]);
  parallel_->Apply(layers_->top(), y, channels, outputs, batch, scratch);
}

void Model::ForecastFromStates(float* const* states, std::size_t batch, float* outputs,
                               Scratch& scratch) const {
  if (spec_.head == HeadKind::kRecursive) return RollOut(states, batch, outputs, scratch);
  const float** const y = scratch.Take<const float*>(batch);
  layers_->Outputs(states, y, batch);
  ApplyHead(y, states, batch, outputs, scratch);
}

void Model::RollOut(float* const* states, std::size_t batch, float* outputs, Scratch& scratch) const {
  const std::size_t levels = spec_.quantiles.size(), middle = levels / 2, floats = layers_->state_floats();
  const Feature& feature = spec_.features[0];
  float** const copies = scratch.Take<float*>(batch);
  const float** const rows = scratch.Take<const float*>(batch);
  float* const inputs = scratch.Take<float>(batch * spec_.inputs());
  float* const step = scratch.Take<float>(batch * levels);
  float* const moved = scratch.Take<float>(batch);             // the median's way so far, unit of the target
  float* const squares = scratch.Take<float>(batch * levels);  // of the distances from the median
  const float** const y = scratch.Take<const float*>(batch);
  std::fill_n(moved, batch, 0.0f);
  std::fill_n(squares, batch * levels, 0.0f);
  for (std::size_t b = 0; b < batch; ++b) {
    copies[b] = scratch.Take<float>(floats);
    std::copy_n(states[b], floats, copies[b]);
    rows[b] = inputs + b * spec_.inputs();
  }
  for (std::size_t h = 0; h < spec_.horizon; ++h) {
    layers_->Outputs(copies, y, batch);
    head_->Apply(y, step, batch);
    for (std::size_t b = 0; b < batch; ++b) {
      const float median = step[b * levels + middle] * spec_.step_deviation[0];
      moved[b] += median;
      for (std::size_t q = 0; q < levels; ++q) {
        const float distance = step[b * levels + q] * spec_.step_deviation[0] - median;
        float& square = squares[b * levels + q];
        square += distance * distance;
        const float spread = q < middle ? -std::sqrt(square) : std::sqrt(square);
        outputs[(b * spec_.horizon + h) * levels + q] = (moved[b] + spread) / spec_.step_deviation[h];
      }
      float* input = inputs + b * spec_.inputs();
      if (spec_.level_inputs)
        *input++ = ClipInput(spec_, states[b][offsets_.level] + moved[b] / feature.deviation);
      if (spec_.difference_inputs) *input = ClipInput(spec_, median / feature.difference_deviation);
    }
    if (h + 1 < spec_.horizon) layers_->Step(rows, copies, batch, scratch);
  }
}

void Model::ForecastFromWindows(float* const* states, std::size_t batch, float* outputs,
                                Scratch& scratch) const {
  const std::size_t width = spec_.layer_inputs();
  for (std::size_t first = 0, count = 0; first < batch; first += count) {
    // Neighbours in the batch with equally many readings run together.
    const float readings = states[first][0];
    count = 1;
    while (first + count < batch && count < kWindowsTogether && states[first + count][0] == readings) ++count;
    const auto steps = static_cast<std::size_t>(readings);
    scratch.Reset();  // nothing of the windows before is needed
    const float** const x = scratch.Take<const float*>(steps * count);
    WindowScale* const target = scratch.Take<WindowScale>(count);
    for (std::size_t b = 0; b < count; ++b) {
      const float* rows = states[first + b] + 1 + (spec_.window - steps) * width;
      target[b] = {};
      if (spec_.instance_normalisation && steps > 0) {
        float* const scaled = scratch.Take<float>(steps * width);
        for (std::size_t column = 0; column < width; ++column) {
          const WindowScale scale = ScaleOfColumn(rows + column, steps, width);
          if (column == spec_.target) target[b] = scale;
          for (std::size_t t = 0; t < steps; ++t) {
            scaled[t * width + column] = (rows[t * width + column] - scale.mean) / scale.deviation;
          }
        }
        rows = scaled;
      }
      for (std::size_t t = 0; t < steps; ++t) x[t * count + b] = rows + t * width;
    }
    const float** const y = scratch.Take<const float*>(count);
    layers_->RunWindow(x, steps, count, y, scratch);
    float* const forecast = outputs + first * spec_.outputs();
    ApplyHead(y, states + first, count, forecast, scratch);
    if (!spec_.instance_normalisation) continue;
    const float deviation = spec_.features[spec_.target].deviation;
    for (std::size_t b = 0; b < count; ++b) {
      // From the window's scale to the way from the last level in the head's unit.
      const float last = x[(steps - 1) * count + b][spec_.target];
      for (std::size_t i = 0; i < spec_.outputs(); ++i) {
        float& value = forecast[b * spec_.outputs() + i];
        value = (value - last) * target[b].deviation * deviation /
                spec_.step_deviation[i / spec_.quantiles.size()];
      }
    }
  }
}

void Model::MixLinear(float* const* states, std::size_t batch, float* outputs, Scratch& scratch) const {
  const std::size_t levels = spec_.quantiles.size();
  const float** const x = scratch.Take<const float*>(batch);
  float* const linear = scratch.Take<float>(batch * spec_.horizon);
  for (std::size_t b = 0; b < batch; ++b) x[b] = states[b] + offsets_.linear + 1;
  if (!spec_.linear_per_channel) {
    linear_[0].Apply(x, linear, batch);
  } else {
    for (std::size_t b = 0; b < batch; ++b)
      linear_[ChannelOf(states[b])].Apply(x + b, linear + b * spec_.horizon, 1);
  }
  for (std::size_t b = 0; b < batch; ++b) {
    const float* const mixing =
        mixing_.data() + (spec_.linear_per_channel ? ChannelOf(states[b]) * spec_.horizon : 0);
    for (std::size_t h = 0; h < spec_.horizon; ++h) {
      float* const y = outputs + (b * spec_.horizon + h) * levels;
      const float shift = (1 - mixing[h]) * (linear[b * spec_.horizon + h] - y[levels / 2]);
      for (std::size_t q = 0; q < levels; ++q) y[q] += shift;  // the width of the interval is the network's
    }
  }
}

}  // namespace tidegate
