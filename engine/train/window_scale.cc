#include "engine/train/window_scale.h"

#include <algorithm>
#include <cmath>

namespace tidegate {
namespace {

constexpr float kLeastDeviation = 1e-3f;  // as in model_forecast.cc

}  // namespace

WindowScale::WindowScale(const ModelSpec& spec)
    : target_(spec.target),
      levels_(spec.quantiles.size()),
      deviation_(spec.features[spec.target].deviation),
      unit_(spec.step_deviation) {}

void WindowScale::Apply(const Matrix& x, std::size_t batch, Matrix& scaled) {
  const std::size_t steps = x.rows / batch;
  scaled.Resize(x.rows, x.cols);
  last_.resize(batch);
  own_.resize(batch);
  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t column = 0; column < x.cols; ++column) {
      double sum = 0, squares = 0;
      for (std::size_t t = 0; t < steps; ++t) sum += x.row(t * batch + b)[column];
      const double mean = sum / static_cast<double>(steps);
      for (std::size_t t = 0; t < steps; ++t) {
        const double apart = x.row(t * batch + b)[column] - mean;
        squares += apart * apart;
      }
      const float deviation =
          std::max(static_cast<float>(std::sqrt(squares / static_cast<double>(steps))), kLeastDeviation);
      for (std::size_t t = 0; t < steps; ++t) {
        scaled.row(t * batch + b)[column] =
            (x.row(t * batch + b)[column] - static_cast<float>(mean)) / deviation;
      }
      if (column != target_) continue;
      own_[b] = deviation;
      last_[b] = scaled.row((steps - 1) * batch + b)[column];
    }
  }
}

float WindowScale::Factor(std::size_t b, std::size_t output) const {
  return own_[b] * deviation_ / unit_[output / levels_];
}

void WindowScale::Undo(Matrix& outputs) const {
  for (std::size_t b = 0; b < outputs.rows; ++b) {
    for (std::size_t i = 0; i < outputs.cols; ++i)
      outputs.row(b)[i] = (outputs.row(b)[i] - last_[b]) * Factor(b, i);
  }
}

void WindowScale::Redo(Matrix& outputs) const {
  for (std::size_t b = 0; b < outputs.rows; ++b) {
    for (std::size_t i = 0; i < outputs.cols; ++i)
      outputs.row(b)[i] = outputs.row(b)[i] / Factor(b, i) + last_[b];
  }
}

void WindowScale::BackThroughUndo(Matrix& d_outputs) const {
  for (std::size_t b = 0; b < d_outputs.rows; ++b) {
    for (std::size_t i = 0; i < d_outputs.cols; ++i) d_outputs.row(b)[i] *= Factor(b, i);
  }
}

}  // namespace tidegate
