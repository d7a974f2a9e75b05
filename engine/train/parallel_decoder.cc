#include "engine/train/parallel_decoder.h"

#include <algorithm>
#include <optional>

#include "engine/cells/weight_gradient.h"
#include "engine/layers/quantile_head.h"
#include "engine/tensor/gemm.h"
#include "engine/train/add.h"
#include "engine/train/dropout.h"
#include "engine/train/median_first.h"

namespace tidegate {

ParallelDecoder::ParallelDecoder(const LayerSpec& top, const ParallelHead::Sizes& sizes)
    : sizes_(sizes),
      dropout_(top.dropout),
      steps_(MakeParallelSteps(top, sizes.inputs)),
      parameters_(ZeroTensors(ParallelHead::ParameterShapes(sizes))),
      gradients_(parameters_) {}

void ParallelDecoder::FillEmbeddings() {
  const Tensor& position = parameters_.at("position");
  const std::size_t width = position.shape[1], m = segments();
  embeddings_.Resize(std::max<std::size_t>(sizes_.channels, 1) * m, sizes_.inputs);
  for (std::size_t row = 0; row < embeddings_.rows; ++row) {
    std::copy_n(&position.values[row % m * width], width, embeddings_.row(row));
    const std::size_t rest = sizes_.inputs - width;
    if (rest == 0) continue;
    std::copy_n(&parameters_.at("channel").values[row / m * rest], rest, embeddings_.row(row) + width);
  }
}

void ParallelDecoder::AddEmbeddingGradients(const Matrix& d_embeddings) {
  Tensor& position = gradients_.at("position");
  const std::size_t width = position.shape[1], m = segments(), rest = sizes_.inputs - width;
  for (std::size_t row = 0; row < d_embeddings.rows; ++row) {
    Add(d_embeddings.row(row), width, &position.values[row % m * width]);
    if (rest > 0) Add(d_embeddings.row(row) + width, rest, &gradients_.at("channel").values[row / m * rest]);
  }
}

void ParallelDecoder::Forward(const Tensors& top, const Matrix& states, std::span<const std::size_t> channels,
                              Random* dropout, Matrix& outputs) {
  const std::size_t m = segments(), rows = states.rows;
  FillEmbeddings();
  places_.resize(rows * m);
  for (std::size_t row = 0; row < places_.size(); ++row)
    places_[row] = (sizes_.channels > 0 ? channels[row / m] : 0) * m + row % m;
  output_ = steps_->Forward(top, states, embeddings_, places_);
  kept_.clear();
  if (dropout != nullptr && dropout_ > 0) Drop(dropout_, *dropout, output_.values, kept_);
  Product(parameters_, "weight", "bias", output_.data(), rows * m, outputs);
  outputs.Resize(rows, sizes_.horizon * sizes_.quantiles);
  QuantileHead::Uncross(outputs.data(), rows * sizes_.horizon, sizes_.quantiles);
}

void ParallelDecoder::Backward(const Tensors& top, const Matrix& outputs, Matrix& d_outputs,
                               Tensors& top_gradients, Matrix& d_states) {
  const std::size_t m = segments(), rows = outputs.rows;
  std::optional<MedianFirst> median;
  if (median_first_) {
    median.emplace(outputs, sizes_.quantiles, d_outputs);
  } else {
    QuantileHead::UncrossGradient(outputs.data(), d_outputs.data(), rows * sizes_.horizon, sizes_.quantiles);
  }
  d_outputs.Resize(rows * m, sizes_.segment * sizes_.quantiles);
  AddProductGradient("weight", "bias", output_.data(), d_outputs, gradients_);
  if (median) median->KeepMedian(d_outputs);
  BackThroughProduct(parameters_.at("weight"), d_outputs, d_output_);
  for (std::size_t i = 0; i < kept_.size(); ++i) d_output_.values[i] *= kept_[i];
  Matrix d_embeddings;
  steps_->Backward(top, embeddings_, places_, d_output_, top_gradients, d_states, d_embeddings);
  AddEmbeddingGradients(d_embeddings);
}

}  // namespace tidegate
