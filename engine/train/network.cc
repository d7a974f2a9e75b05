#include "engine/train/network.h"

#include <algorithm>
#include <cassert>
#include <cmath>
#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "engine/cells/weight_gradient.h"
#include "engine/layers/make_layer.h"
#include "engine/layers/quantile_head.h"
#include "engine/tensor/gemm.h"

namespace tidegate {
namespace {

void AddRows(const float* from, float* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] += from[i];
}

}  // namespace

absl::Status Network::CheckTrainable(const ModelSpec& spec) {
  const auto refuse = [&](absl::string_view what) {
    return absl::InvalidArgumentError(
        absl::StrCat("model '", spec.name, "': ", what, " cannot be trained here yet; leave it out"));
  };
  if (spec.window > 0) return refuse("a window");
  if (spec.head != HeadKind::kDirect) return refuse("a head other than the direct one");
  if (spec.linear_context > 0) return refuse("a linear path");
  if (spec.cycle > 0) return refuse("a cycle");
  return absl::OkStatus();
}

Network::Network(const ModelSpec& spec) : spec_(spec) {
  std::size_t inputs = spec.layer_inputs();
  for (const LayerSpec& layer : spec.layers) {
    if (layer.stride > 1) {
      stride_ = layer.stride;
      strided_ = levels_.size();
    }
    levels_.push_back({layer, MakeSequenceLayer(layer, inputs), {}, {}});
    inputs = OutputsOf(layer);
  }
  head_ = {{"weight", ZeroTensor({spec.outputs(), inputs})}, {"bias", ZeroTensor({spec.outputs()})}};
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
  const std::size_t width = head_["weight"].shape[1];
  fill(head_["weight"], width);
  fill(head_["bias"], width);
}

Arrays Network::Weights() {
  Arrays arrays;
  for (Level& level : levels_) {
    for (auto& [name, tensor] : level.layer->parameters()) arrays.emplace_back(tensor.values);
  }
  for (auto& [name, tensor] : head_) arrays.emplace_back(tensor.values);
  return arrays;
}

Arrays Network::Gradients() {
  Arrays arrays;
  for (Level& level : levels_) {
    for (auto& [name, tensor] : level.layer->gradients()) arrays.emplace_back(tensor.values);
  }
  for (auto& [name, tensor] : head_gradient_) arrays.emplace_back(tensor.values);
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
  for (const auto& [name, tensor] : head_) tensors["head." + name] = tensor;
  return tensors;
}

void Network::SetWeights(const Tensors& tensors) {
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    for (auto& [name, tensor] : levels_[i].layer->parameters()) {
      tensor = tensors.at(absl::StrCat("layers.", i, ".", name));
    }
  }
  for (auto& [name, tensor] : head_) tensor = tensors.at("head." + name);
}

void Network::Start(std::size_t batch) {
  batch_ = batch;
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    const bool above = stride_ > 1 && i > strided_;
    levels_[i].layer->Start(above && spec_.interleaved ? batch * stride_ : batch);
  }
  held_ = Matrix(batch, OutputsOf(spec_.layers.back()));
}

void Network::Drop(Level& level, Random& random) {
  level.kept.resize(level.output.size());
  const auto below = static_cast<std::size_t>(level.spec.dropout * 65536.0f);
  for (std::size_t i = 0; i < level.kept.size(); ++i) {
    level.kept[i] = random.Below(65536) < below ? 0 : 1 / (1 - level.spec.dropout);
    level.output.values[i] *= level.kept[i];
  }
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
  const Matrix* input = &x;
  for (std::size_t i = 0; i < levels_.size(); ++i) {
    Level& level = levels_[i];
    level.output = level.layer->Forward(*input);
    level.kept.clear();
    if (dropout != nullptr && level.spec.dropout > 0) Drop(level, *dropout);
    if (level.spec.residual) AddRows(input->data(), level.output.data(), input->size());
    input = &level.output;
    if (stride_ > 1 && i == strided_ && !spec_.interleaved) {
      PickHops(level.output);
      input = &hops_;
    }
  }
  HoldOutputs(x.rows);
}

void Network::HoldOutputs(std::size_t rows) {
  const Matrix& output = levels_.back().output;
  const bool single = stride_ > 1 && !spec_.interleaved;
  const Matrix& hops = single && strided_ + 1 == levels_.size() ? hops_ : output;
  if (!single) {
    top_ = output;
    return;
  }
  top_.Resize(rows, output.cols);
  const std::size_t floats = batch_ * output.cols;
  for (std::size_t t = 0; t * batch_ < rows; ++t) {
    if ((t + 1) % stride_ == 0) std::copy_n(hops.row(t / stride_ * batch_), floats, held_.data());
    std::copy_n(held_.data(), floats, top_.row(t * batch_));
  }
}

void Network::Decode(Matrix& outputs) const {
  const Tensor& bias = head_.at("bias");
  outputs.Resize(top_.rows, bias.values.size());
  for (std::size_t r = 0; r < outputs.rows; ++r) std::ranges::copy(bias.values, outputs.row(r));
  Gemm(Transpose::kNo, Transpose::kYes, top_.rows, outputs.cols, top_.cols, top_.data(),
       head_.at("weight").values.data(), outputs.data(), true);
  QuantileHead::Uncross(outputs.data(), outputs.rows * spec_.horizon, spec_.quantiles.size());
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

void Network::Backward(const Matrix& x, const Matrix& outputs, Matrix& d_outputs) {
  QuantileHead::UncrossGradient(outputs.data(), d_outputs.data(), outputs.rows * spec_.horizon,
                                spec_.quantiles.size());
  Gemm(Transpose::kYes, Transpose::kNo, outputs.cols, top_.cols, top_.rows, d_outputs.data(), top_.data(),
       head_gradient_.at("weight").values.data(), true);
  AddColumnSums(d_outputs, head_gradient_.at("bias").values);
  Matrix d_output(top_.rows, top_.cols);
  Gemm(Transpose::kNo, Transpose::kNo, top_.rows, top_.cols, outputs.cols, d_outputs.data(),
       head_.at("weight").values.data(), d_output.data(), false);
  const bool single = stride_ > 1 && !spec_.interleaved;
  if (single) d_output = ReleaseOutputs(d_output);
  for (std::size_t i = levels_.size(); i-- > 0;) {
    Level& level = levels_[i];
    if (single && i == strided_) d_output = SpreadHops(d_output, x.rows);
    Matrix d_input;
    Matrix d_residual;
    if (level.spec.residual) d_residual = d_output;
    for (std::size_t j = 0; j < level.kept.size(); ++j) d_output.values[j] *= level.kept[j];
    level.layer->Backward(d_output, i == 0 ? nullptr : &d_input, nullptr);
    if (i > 0 && level.spec.residual) AddRows(d_residual.data(), d_input.data(), d_input.size());
    std::swap(d_output, d_input);
  }
}

}  // namespace tidegate
