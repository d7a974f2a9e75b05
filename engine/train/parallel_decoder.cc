#include "engine/train/parallel_decoder.h"

#include <algorithm>
#include <optional>

#include "engine/cells/weight_gradient.h"
#include "engine/layers/make_layer.h"
#include "engine/layers/quantile_head.h"
#include "engine/tensor/gemm.h"
#include "engine/train/dropout.h"
#include "engine/train/median_first.h"

namespace tidegate {
namespace {

void Add(const float* from, std::size_t count, float* to) {
  for (std::size_t i = 0; i < count; ++i) to[i] += from[i];
}

}  // namespace

bool ParallelDecoder::CanTrain(const LayerSpec& top) {
  return IsRecurrent(top.kind) && MakeGateRule(top) != nullptr && top.projection == 0;
}

ParallelDecoder::ParallelDecoder(const LayerSpec& top, const ParallelHead::Sizes& sizes)
    : sizes_(sizes),
      dropout_(top.dropout),
      rule_(MakeGateRule(top)),
      parameters_(ParallelHead::ZeroParameters(sizes)),
      gradients_(parameters_) {}

std::size_t ParallelDecoder::EmbeddingOf(std::size_t row, std::size_t segment) const {
  return (sizes_.channels > 0 ? channels_[row] : 0) * segments() + segment;
}

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
  const std::size_t units = sizes_.units, m = segments(), rows = states.rows;
  const bool has_cell = rule_->has_cell();
  channels_.assign(channels.begin(), channels.end());
  rule_->SetWeights(top);
  FillEmbeddings();
  Product(top, "weight_ih", "bias_ih", embeddings_.data(), embeddings_.rows, input_product_);
  hidden_.Resize(rows, units);
  cell_.Resize(has_cell ? rows : 0, units);
  for (std::size_t r = 0; r < rows; ++r) {
    std::copy_n(states.row(r), units, hidden_.row(r));
    if (has_cell) std::copy_n(states.row(r) + units, units, cell_.row(r));
  }
  Product(top, "weight_hh", "bias_hh", hidden_.data(), rows, hidden_product_);
  tape_.Resize(rows * m, rule_->tape_floats());
  output_.Resize(rows * m, units);
  next_cell_.Resize(has_cell ? rows * m : 0, units);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t j = 0; j < m; ++j) {
      const std::size_t row = r * m + j;
      rule_->Forward(input_product_.row(EmbeddingOf(r, j)), hidden_product_.row(r), hidden_.row(r),
                     has_cell ? cell_.row(r) : nullptr, tape_.row(row), output_.row(row),
                     has_cell ? next_cell_.row(row) : nullptr);
    }
  }
  kept_.clear();
  if (dropout != nullptr && dropout_ > 0) Drop(dropout_, *dropout, output_.values, kept_);
  Product(parameters_, "weight", "bias", output_.data(), rows * m, outputs);
  outputs.Resize(rows, sizes_.horizon * sizes_.quantiles);
  QuantileHead::Uncross(outputs.data(), rows * sizes_.horizon, sizes_.quantiles);
}

void ParallelDecoder::Backward(const Tensors& top, const Matrix& outputs, Matrix& d_outputs,
                               Tensors& top_gradients, Matrix& d_states) {
  const std::size_t units = sizes_.units, m = segments(), rows = outputs.rows;
  const bool has_cell = rule_->has_cell();
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

  const std::size_t floats = rule_->gates() * units;
  d_input_ = Matrix(embeddings_.rows, floats);
  d_hidden_ = Matrix(rows, floats);
  d_states = Matrix(rows, has_cell ? 2 * units : units);
  std::vector<float> d_a(floats), d_u(floats), d_h(units), d_s(units);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t j = 0; j < m; ++j) {
      const std::size_t row = r * m + j, embedding = EmbeddingOf(r, j);
      std::ranges::fill(d_s, 0.0f);
      rule_->Backward(input_product_.row(embedding), hidden_product_.row(r), hidden_.row(r),
                      has_cell ? cell_.row(r) : nullptr, tape_.row(row),
                      has_cell ? next_cell_.row(row) : nullptr, d_output_.row(row),
                      has_cell ? d_s.data() : nullptr, d_a.data(), d_u.data(), d_h.data(), top_gradients);
      Add(d_a.data(), floats, d_input_.row(embedding));
      Add(d_u.data(), floats, d_hidden_.row(r));
      Add(d_h.data(), units, d_states.row(r));
      if (has_cell) Add(d_s.data(), units, d_states.row(r) + units);
    }
  }
  AddProductGradient("weight_ih", "bias_ih", embeddings_.data(), d_input_, top_gradients);
  AddProductGradient("weight_hh", "bias_hh", hidden_.data(), d_hidden_, top_gradients);
  Matrix d_embeddings, d_from_product;
  BackThroughProduct(top.at("weight_ih"), d_input_, d_embeddings);
  AddEmbeddingGradients(d_embeddings);
  BackThroughProduct(top.at("weight_hh"), d_hidden_, d_from_product);
  for (std::size_t r = 0; r < rows; ++r) Add(d_from_product.row(r), units, d_states.row(r));
}

}  // namespace tidegate
