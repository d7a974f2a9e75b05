#include "engine/layers/parallel_head.h"

#include <algorithm>

namespace tidegate {

Shapes ParallelHead::ParameterShapes(const Sizes& sizes) {
  const std::size_t channel_width = sizes.channels > 0 ? sizes.inputs / 2 : 0;
  const std::size_t outputs = sizes.segment * sizes.quantiles;
  Shapes shapes = {
      {"position", {sizes.horizon / sizes.segment, sizes.inputs - channel_width}},
      {"weight", {outputs, sizes.units}},
      {"bias", {outputs}},
  };
  if (sizes.channels > 0) shapes["channel"] = {sizes.channels, channel_width};
  return shapes;
}

ParallelHead::ParallelHead(const Sizes& sizes, const Tensors& tensors)
    : sizes_(sizes),
      head_(tensors.at("weight").values.data(), tensors.at("bias").values.data(), sizes.segment,
            sizes.quantiles, sizes.units) {
  const Tensor& position = tensors.at("position");
  const std::size_t width = position.shape[1];
  const std::size_t channel_width = sizes.inputs - width;
  for (std::size_t c = 0; c < std::max<std::size_t>(sizes.channels, 1); ++c) {
    for (std::size_t j = 0; j < position.shape[0]; ++j) {
      const float* const place = position.values.data() + j * width;
      embeddings_.insert(embeddings_.end(), place, place + width);
      if (channel_width == 0) continue;
      const float* const channel = tensors.at("channel").values.data() + c * channel_width;
      embeddings_.insert(embeddings_.end(), channel, channel + channel_width);
    }
  }
}

void ParallelHead::Apply(const Layer& top, const float* const* states, const std::size_t* channels,
                         float* quantiles, std::size_t batch, Scratch& scratch) const {
  const std::size_t segments = sizes_.horizon / sizes_.segment;
  const std::size_t rows = batch * segments;
  const std::size_t floats = top.state_floats();
  float* const copies = scratch.Take<float>(rows * floats);
  float** const copy = scratch.Take<float*>(rows);
  const float** const x = scratch.Take<const float*>(rows);
  for (std::size_t b = 0; b < batch; ++b) {
    const std::size_t channel = sizes_.channels > 0 ? channels[b] : 0;
    for (std::size_t j = 0; j < segments; ++j) {
      const std::size_t row = b * segments + j;
      copy[row] = copies + row * floats;
      std::copy_n(states[b], floats, copy[row]);
      x[row] = &embeddings_[(channel * segments + j) * sizes_.inputs];
    }
  }
  const float** const y = scratch.Take<const float*>(rows);
  top.Step(x, copy, y, rows, scratch);
  head_.Apply(y, quantiles, rows);
}

}  // namespace tidegate
