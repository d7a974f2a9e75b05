// The sequence form of the convolution; declared in conv1d.h.
#include <algorithm>
#include <cassert>
#include <utility>
#include <vector>

#include "engine/cells/weight_gradient.h"
#include "engine/layers/conv1d.h"

namespace tidegate {

Conv1dSequence::Conv1dSequence(const LayerSpec& spec, Tensors parameters)
    : SequenceLayer(std::move(parameters)),
      spec_(spec),
      past_((spec.kernel - 1) * spec.dilation + (spec.relative ? 1 : 0)) {}

std::size_t Conv1dSequence::state_floats() const {
  return (spec_.relative || spec_.stride > 1 ? 1 : 0) + past_ * parameters_.at("weight").shape[1];
}

void Conv1dSequence::FillPast(const Matrix& x) {
  const std::size_t batch = state_.rows, width = x.cols, counts = state_.cols - past_ * width;
  inputs_.Resize(past_ * batch + x.rows, width);
  fresh_.assign(batch, false);
  for (std::size_t b = 0; b < batch; ++b) {
    const bool fresh = spec_.relative && state_.row(b)[0] == 0;
    fresh_[b] = fresh;
    for (std::size_t t = 0; t < past_; ++t) {
      std::copy_n(fresh ? x.row(b) : state_.row(b) + counts + t * width, width, inputs_.row(t * batch + b));
    }
  }
  std::copy_n(x.data(), x.size(), inputs_.row(past_ * batch));
}

void Conv1dSequence::StorePast(const Matrix& x) {
  const std::size_t batch = state_.rows, width = x.cols, counts = state_.cols - past_ * width;
  const std::size_t steps = x.rows / batch;
  for (std::size_t b = 0; b < batch; ++b) {
    for (std::size_t t = 0; t < past_; ++t) {
      std::copy_n(inputs_.row((steps + t) * batch + b), width, state_.row(b) + counts + t * width);
    }
    if (counts == 0) continue;
    float& count = state_.row(b)[0];  // as Conv1dLayer keeps it
    count = static_cast<float>((static_cast<std::size_t>(count) + steps - 1) % spec_.stride + 1);
  }
}

const Matrix& Conv1dSequence::Forward(const Matrix& x) {
  const std::size_t batch = state_.rows, width = x.cols, kernel = spec_.kernel;
  assert(batch > 0 && x.rows % batch == 0);
  FillPast(x);
  assert(x.rows % (batch * every_) == 0);
  columns_.Resize(x.rows / every_, width * kernel);
  for (std::size_t r = 0; r < columns_.rows; ++r) {
    const std::size_t at = ReadingOf(r);
    const float* const before = inputs_.row(at);  // of a relative filter: the reading before its first
    for (std::size_t k = 0; k < kernel; ++k) {
      const float* const reading = inputs_.row(at + (k * spec_.dilation + (spec_.relative ? 1 : 0)) * batch);
      for (std::size_t i = 0; i < width; ++i) {
        columns_.row(r)[i * kernel + k] = spec_.relative ? reading[i] - before[i] : reading[i];
      }
    }
  }
  StorePast(x);
  const Tensor flat = {{spec_.units, width * kernel}, parameters_.at("weight").values};
  Product({{"weight", flat}, {"bias", parameters_.at("bias")}}, "weight", "bias", columns_.data(),
          columns_.rows, output_);
  if (spec_.relu) {
    for (float& value : output_.values) value = std::max(value, 0.0f);
  }
  return output_;
}

void Conv1dSequence::Backward(Matrix& d_y, Matrix* d_x, [[maybe_unused]] Matrix* d_first) {
  assert(d_first == nullptr);
  const std::size_t batch = state_.rows, width = inputs_.cols, kernel = spec_.kernel;
  for (std::size_t i = 0; spec_.relu && i < d_y.size(); ++i) {
    if (output_.values[i] <= 0) d_y.values[i] = 0;
  }
  Tensor& gradient = gradients_.at("weight");
  const std::vector<std::size_t> shape = gradient.shape;
  gradient.shape = {spec_.units, width * kernel};
  AddProductGradient("weight", "bias", columns_.data(), d_y, gradients_);
  gradient.shape = shape;
  if (d_x == nullptr) return;
  Matrix d_columns, d_inputs(inputs_.rows, width);
  BackThroughProduct({{spec_.units, width * kernel}, parameters_.at("weight").values}, d_y, d_columns);
  for (std::size_t r = 0; r < d_y.rows; ++r) {
    const std::size_t at = ReadingOf(r);
    for (std::size_t k = 0; k < kernel; ++k) {
      float* const reading = d_inputs.row(at + (k * spec_.dilation + (spec_.relative ? 1 : 0)) * batch);
      for (std::size_t i = 0; i < width; ++i) {
        const float d = d_columns.row(r)[i * kernel + k];
        reading[i] += d;
        if (spec_.relative) d_inputs.row(at)[i] -= d;
      }
    }
  }
  d_x->Resize(d_y.rows * every_, width);
  std::copy_n(d_inputs.row(past_ * batch), d_x->size(), d_x->data());
  for (std::size_t row = 0; row < past_ * batch; ++row) {  // a fresh stream's past was its first reading
    const std::size_t b = row % batch;
    for (std::size_t i = 0; fresh_[b] && i < width; ++i) d_x->row(b)[i] += d_inputs.row(row)[i];
  }
}

}  // namespace tidegate
