#include "engine/train/network.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/cells/weight_gradient.h"
#include "engine/layers/conv1d.h"
#include "engine/layers/make_layer.h"
#include "engine/layers/quantile_head.h"
#include "engine/model/parallel_sizes.h"
#include "engine/tensor/gemm.h"
#include "engine/train/dropout.h"
#include "engine/train/median_first.h"

namespace tidegate {
namespace {

void AddRows(const float* from, float* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] += from[i];
}

}  // namespace

Network::Network(const ModelSpec& spec, Rows rows) : spec_(spec), rows_(rows) {
  if (spec.instance_normalisation) scale_.emplace(spec);
  std::size_t inputs = spec.layer_inputs();
  for (const LayerSpec& layer : spec.layers) {
    if (layer.stride > 1) {
      stride_ = layer.stride;
      strided_ = levels_.size();
    }
    levels_.push_back({.spec = layer, .layer = MakeSequenceLayer(layer, inputs), .changed = {}, .kept = {}});
    inputs = OutputsOf(layer);
  }
  if (stride_ > 1 && hops_below()) static_cast<Conv1dSequence&>(*levels_[strided_].layer).KeepHops();
  if (spec.head == HeadKind::kParallel) {
    parallel_ = std::make_unique<ParallelDecoder>(spec.layers.back(), ParallelSizes(spec));
    return;
  }
  const std::size_t outputs = OutputSteps(spec) * spec.quantiles.size();
  head_ = {{"weight", ZeroTensor({outputs, inputs})}, {"bias", ZeroTensor({outputs})}};
  head_gradient_ = head_;
}

void Network::Randomise(Random& random) {
  const auto fill = [&random](Tensor& tensor, std::size_t fan) {
    const float bound = 1 / std::sqrt(static_cast<float>(fan));
    for (float& value : tensor.values) value = random.Uniform(bound);
  };
  for (Level& level : levels_) {
    const bool recurrent = IsRecurrent(level.spec.kind);
    Tensors& weights = level.layer->parameters();
    const std::size_t fan =
        recurrent ? level.spec.units : weights.at("weight").shape[1] * weights.at("weight").shape[2];
    for (auto& [name, tensor] : weights) {
      if (absl::StartsWith(name, "norm_")) {
        std::ranges::fill(tensor.values, absl::EndsWith(name, ".gain") ? 1.0f : 0.0f);
      } else {
        fill(tensor, fan);
      }
    }
  }
  Tensors& head = parallel_ ? parallel_->parameters() : head_;
  const std::size_t width = head.at("weight").shape[1];
  fill(head.at("weight"), width);
  fill(head.at("bias"), width);
  if (parallel_ == nullptr) return;
  for (const char* const name : {"position", "channel"}) {  // about as large as what the layer sees else
    if (const auto found = head.find(name); found != head.end()) fill(found->second, 1);
  }
}

Arrays Network::Weights() {
  Arrays arrays;
  for (Level& level : levels_) {
    for (auto& [name, tensor] : level.layer->parameters()) arrays.emplace_back(tensor.values);
  }
  for (auto& [name, tensor] : parallel_ ? parallel_->parameters() : head_) arrays.emplace_back(tensor.values);
  return arrays;
}

Arrays Network::Gradients() {
  Arrays arrays;
  for (Level& level : levels_) {
    for (auto& [name, tensor] : level.layer->gradients()) arrays.emplace_back(tensor.values);
  }
  for (auto& [name, tensor] : parallel_ ? parallel_->gradients() : head_gradient_)
    arrays.emplace_back(tensor.values);
  return arrays;
}

void Network::ClearGradients() {
  for (const auto array : Gradients()) std::ranges::fill(array, 0.0f);
}

Tensors Network::WeightTensors() const {
  Tensors tensors;
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    for (const auto& [name, tensor] : levels_[i].layer->parameters()) {
      tensors[absl::StrCat("layers.", i, ".", name)] = tensor;
    }
  }
  for (const auto& [name, tensor] : parallel_ ? parallel_->parameters() : head_)
    tensors["head." + name] = tensor;
  return tensors;
}

void Network::SetWeights(const Tensors& tensors) {
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    for (auto& [name, tensor] : levels_[i].layer->parameters()) {
      tensor = tensors.at(absl::StrCat("layers.", i, ".", name));
    }
  }
  for (auto& [name, tensor] : parallel_ ? parallel_->parameters() : head_)
    tensor = tensors.at("head." + name);
}

void Network::Start(std::size_t batch) {
  batch_ = batch;
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    const bool above = stride_ > 1 && i > strided_;
    levels_[i].layer->Start(above && !single() ? batch * stride_ : batch);
  }
  const SequenceLayer& top = *levels_.back().layer;
  held_ = Matrix(batch, parallel_ ? top.state_floats() : OutputsOf(spec_.layers.back()));
}

const Matrix& Network::LayerInputs(const Matrix& x) {
  if (spec_.channels == 0 && !scale_) return x;
  if (spec_.channels == 0) {
    scale_->Apply(x, batch_, layer_inputs_);
    return layer_inputs_;
  }
  sequences_.resize(batch_);
  for (std::size_t b = 0; b < batch_; ++b) sequences_[b] = spec_.ChannelOf(x.row(b)[x.cols - 1]);
  layer_inputs_.Resize(x.rows, x.cols - 1);
  for (std::size_t r = 0; r < x.rows; ++r) std::copy_n(x.row(r), x.cols - 1, layer_inputs_.row(r));
  if (scale_) scale_->Apply(Matrix(layer_inputs_), batch_, layer_inputs_);
  return layer_inputs_;
}

void Network::PickHops(const Matrix& rows) {
  hops_.Resize(rows.rows / stride_, rows.cols);
  const std::size_t floats = batch_ * rows.cols;
  for (std::size_t hop = 0; hop * batch_ < hops_.rows; ++hop) {
    std::copy_n(rows.row(((hop + 1) * stride_ - 1) * batch_), floats, hops_.row(hop * batch_));
  }
}

void Network::Forward(const Matrix& x, Random* dropout) {
  assert(x.rows % (batch_ * stride_) == 0);
  const Matrix* input = &LayerInputs(x);
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    Level& level = levels_[i];
    level.output = &level.layer->Forward(*input);
    level.kept.clear();
    const bool decoded =
        parallel_ != nullptr && &level == &levels_.back();  // drops its further steps' outputs
    const bool drops = dropout != nullptr && level.spec.dropout > 0 && !decoded;
    if (drops || level.spec.residual) {
      level.changed = *level.output;
      level.output = &level.changed;
    }
    if (drops) Drop(level.spec.dropout, *dropout, level.changed.values, level.kept);
    if (level.spec.residual) AddRows(input->data(), level.changed.data(), input->size());
    input = level.output;
    if (i == strided_ && single() && !hops_below()) {
      PickHops(*level.output);
      input = &hops_;
    }
  }
  HoldOutputs(x.rows);
}

const Matrix& Network::HeadRows() {
  const Level& top = levels_.back();
  if (single() && !hops_below() && strided_ + 1 == levels_.size()) return hops_;
  const float* const cells = parallel_ ? top.layer->cells() : nullptr;
  if (cells == nullptr) return *top.output;
  states_.Resize(top.output->rows, top.layer->state_floats());
  const std::size_t outputs = top.output->cols, rest = states_.cols - outputs;
  for (std::size_t r = 0; r < states_.rows; ++r) {
    std::copy_n(top.output->row(r), outputs, states_.row(r));
    std::copy_n(cells + r * rest, rest, states_.row(r) + outputs);
  }
  return states_;
}

void Network::KeepLast(const Matrix& rows) {
  top_rows_ = rows.rows;
  held_top_.Resize(batch_, rows.cols);
  std::copy_n(rows.row(rows.rows - batch_), held_top_.size(), held_top_.data());
  if (!levels_.back().spec.bidirectional) return;
  const std::size_t half = rows.cols / 2;  // the backward layer's last output is that of the first reading
  for (std::size_t b = 0; b < batch_; ++b) std::copy_n(rows.row(b) + half, half, held_top_.row(b) + half);
}

Matrix Network::SpreadLast(const Matrix& d_top, std::size_t rows) const {
  Matrix d_rows(rows, d_top.cols);
  std::copy_n(d_top.data(), d_top.size(), d_rows.row(rows - batch_));
  if (!levels_.back().spec.bidirectional) return d_rows;
  const std::size_t half = d_top.cols / 2;
  for (std::size_t b = 0; b < batch_; ++b) {
    std::fill_n(d_rows.row(rows - batch_ + b) + half, half, 0.0f);
    std::copy_n(d_top.row(b) + half, half, d_rows.row(b) + half);
  }
  return d_rows;
}

void Network::HoldOutputs(std::size_t rows) {
  const Matrix& hops = HeadRows();
  if (rows_ != Rows::kLast && (!single() || rows_ == Rows::kHops)) {
    top_ = &hops;
    return;
  }
  top_ = &held_top_;
  if (rows_ == Rows::kLast) return KeepLast(hops);
  held_top_.Resize(rows, hops.cols);
  const std::size_t floats = batch_ * hops.cols;
  for (std::size_t t = 0; t * batch_ < rows; ++t) {
    if ((t + 1) % stride_ == 0) std::copy_n(hops.row(t / stride_ * batch_), floats, held_.data());
    std::copy_n(held_.data(), floats, held_top_.row(t * batch_));
  }
}

void Network::Decode(Matrix& outputs, Random* dropout) {
  if (parallel_) {
    channels_.resize(spec_.channels > 0 ? top_->rows : 0);
    for (std::size_t r = 0; r < channels_.size(); ++r) channels_[r] = sequences_[r % batch_];
    parallel_->Forward(levels_.back().layer->parameters(), *top_, channels_, dropout, outputs);
    if (scale_) scale_->Undo(outputs);
    return;
  }
  const Tensor& bias = head_.at("bias");
  outputs.Resize(top_->rows, bias.values.size());
  for (std::size_t r = 0; r < outputs.rows; ++r) std::ranges::copy(bias.values, outputs.row(r));
  Gemm(Transpose::kNo, Transpose::kYes, top_->rows, outputs.cols, top_->cols, top_->data(),
       head_.at("weight").values.data(), outputs.data(), true);
  QuantileHead::Uncross(outputs.data(), outputs.rows * OutputSteps(spec_), spec_.quantiles.size());
  if (scale_) scale_->Undo(outputs);
}

// The gradient of every hop's output from those of the steps that held it.
Matrix Network::ReleaseOutputs(const Matrix& d_top) const {
  Matrix d_hops(d_top.rows / stride_, d_top.cols);
  const std::size_t floats = batch_ * d_top.cols;
  for (std::size_t t = stride_ - 1; t * batch_ < d_top.rows; ++t) {
    AddRows(d_top.row(t * batch_), d_hops.row(((t + 1) / stride_ - 1) * batch_), floats);
  }
  return d_hops;
}

// Gradients of the hops' rows at their places among all rows.
Matrix Network::SpreadHops(const Matrix& d_hops, std::size_t rows) const {
  Matrix d_rows(rows, d_hops.cols);
  const std::size_t floats = batch_ * d_hops.cols;
  for (std::size_t hop = 0; hop * batch_ < d_hops.rows; ++hop) {
    std::copy_n(d_hops.row(hop * batch_), floats, d_rows.row(((hop + 1) * stride_ - 1) * batch_));
  }
  return d_rows;
}

void Network::BackThroughHead(const Matrix& outputs, Matrix& d_outputs, Matrix& d_top) {
  if (parallel_) {
    SequenceLayer& top = *levels_.back().layer;
    parallel_->Backward(top.parameters(), outputs, d_outputs, top.gradients(), d_top);
    return;
  }
  std::optional<MedianFirst> median;
  if (median_first_) {
    median.emplace(outputs, spec_.quantiles.size(), d_outputs);
  } else {
    QuantileHead::UncrossGradient(outputs.data(), d_outputs.data(), outputs.rows * OutputSteps(spec_),
                                  spec_.quantiles.size());
  }
  Gemm(Transpose::kYes, Transpose::kNo, outputs.cols, top_->cols, top_->rows, d_outputs.data(), top_->data(),
       head_gradient_.at("weight").values.data(), true);
  AddColumnSums(d_outputs, head_gradient_.at("bias").values);
  if (median) median->KeepMedian(d_outputs);
  d_top.Resize(top_->rows, top_->cols);
  Gemm(Transpose::kNo, Transpose::kNo, top_->rows, top_->cols, outputs.cols, d_outputs.data(),
       head_.at("weight").values.data(), d_top.data(), false);
}

void Network::Backward(const Matrix& x, const Matrix& outputs, Matrix& d_outputs) {
  if (scale_) {
    Matrix scaled = outputs;
    scale_->Redo(scaled);
    scale_->BackThroughUndo(d_outputs);
    BackThroughHead(scaled, d_outputs, d_output_);
  } else {
    BackThroughHead(outputs, d_outputs, d_output_);
  }
  if (rows_ == Rows::kLast) d_output_ = SpreadLast(d_output_, top_rows_);
  if (single() && rows_ == Rows::kAll) d_output_ = ReleaseOutputs(d_output_);
  for (std::size_t i = levels_.size(); i-- > 0;) {
    Level& level = levels_[i];
    if (single() && !hops_below() && i == strided_) d_output_ = SpreadHops(d_output_, x.rows);
    Matrix d_residual;
    if (level.spec.residual) d_residual = d_output_;
    for (std::size_t j = 0; j < level.kept.size(); ++j) d_output_.values[j] *= level.kept[j];
    level.layer->Backward(d_output_, i == 0 ? nullptr : &d_input_, nullptr);
    if (i == 0) return;
    if (level.spec.residual) AddRows(d_residual.data(), d_input_.data(), d_input_.size());
    std::swap(d_output_, d_input_);
  }
}

std::size_t OutputStride(const ModelSpec& spec) {
  if (RowsOf(spec) == Network::Rows::kAll) return 1;
  if (RowsOf(spec) == Network::Rows::kLast) return spec.window;
  for (const LayerSpec& layer : spec.layers) {
    if (layer.stride > 1) return layer.stride;
  }
  return 1;
}

}  // namespace tidegate
