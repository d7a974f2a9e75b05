#include "engine/train/linear_path.h"

#include <algorithm>
#include <utility>

#include "engine/tensor/gemm.h"

namespace tidegate {

LinearPath::LinearPath(const LinearChoice& choice, const std::vector<Matrix>& maps, ModelSpec& spec)
    : target_(spec.target),
      context_(choice.context()),
      horizon_(spec.horizon),
      channels_(maps.size() > 1 ? spec.channels : 0) {
  spec.linear_context = context_;
  spec.linear_per_channel = channels_ > 0;
  Tensor weight = ZeroTensor({horizon_, context_}), bias = ZeroTensor({horizon_});
  if (channels_ > 0) {
    weight = ZeroTensor({spec.channels, horizon_, context_});
    bias = ZeroTensor({spec.channels, horizon_});
  }
  for (std::size_t map = 0; map < maps.size(); ++map) {
    for (std::size_t h = 0; h < horizon_; ++h) {
      const float unit = spec.features[target_].deviation / spec.step_deviation[h];
      const std::size_t row = map * horizon_ + h;
      for (std::size_t i = 0; i + 1 < context_; ++i)
        weight.values[row * context_ + i] = unit * maps[map].row(h)[i];
      bias.values[row] = unit * maps[map].row(h)[context_ - 1];
    }
  }
  tensors_ = {{"linear.weight", std::move(weight)}, {"linear.bias", std::move(bias)}};
}

void LinearPath::Forecast(const std::vector<PreparedSeries>& data, std::span<const Chunk::Origin> origins,
                          Matrix& forecast) const {
  forecast.Resize(origins.size(), horizon_);
  const float* const weight = tensors_.at("linear.weight").values.data();
  const float* const bias = tensors_.at("linear.bias").values.data();
  Matrix x(origins.size(), context_), y;
  for (std::size_t map = 0; map < std::max<std::size_t>(channels_, 1); ++map) {
    std::vector<std::size_t> rows;
    for (std::size_t r = 0; r < origins.size(); ++r) {
      const PreparedSeries& series = data[origins[r].series];
      const float number = series.inputs.row(origins[r].row)[series.inputs.cols - 1];
      const std::size_t own =
          channels_ == 0
              ? 0
              : static_cast<std::size_t>(std::clamp(number, 0.0f, static_cast<float>(channels_ - 1)));
      if (own != map) continue;
      FillContext(series, origins[r].row, target_, context_, x.row(rows.size()));
      rows.push_back(r);
    }
    y.Resize(rows.size(), horizon_);
    Gemm(Transpose::kNo, Transpose::kYes, rows.size(), horizon_, context_, x.data(),
         weight + map * horizon_ * context_, y.data(), false);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      for (std::size_t h = 0; h < horizon_; ++h)
        forecast.row(rows[i])[h] = y.row(i)[h] + bias[map * horizon_ + h];
    }
  }
}

}  // namespace tidegate
