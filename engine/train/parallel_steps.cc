#include "engine/train/parallel_steps.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "engine/cells/gate_rule.h"
#include "engine/cells/sequence_layer.h"
#include "engine/cells/weight_gradient.h"
#include "engine/layers/make_layer.h"
#include "engine/train/add.h"

namespace tidegate {
namespace {

class RuleSteps : public ParallelSteps {
 public:
  explicit RuleSteps(std::unique_ptr<GateRule> rule) : rule_(std::move(rule)) {}

  const Matrix& Forward(const Tensors& top, const Matrix& states, const Matrix& embeddings,
                        std::span<const std::size_t> places) override {
    const std::size_t units = rule_->units(), rows = states.rows, m = places.size() / rows;
    const bool has_cell = rule_->has_cell();
    rule_->SetWeights(top);
    Product(top, "weight_ih", "bias_ih", embeddings.data(), embeddings.rows, input_product_);
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
    for (std::size_t row = 0; row < rows * m; ++row) {
      const std::size_t r = row / m;
      rule_->Forward(input_product_.row(places[row]), hidden_product_.row(r), hidden_.row(r),
                     has_cell ? cell_.row(r) : nullptr, tape_.row(row), output_.row(row),
                     has_cell ? next_cell_.row(row) : nullptr);
    }
    return output_;
  }

  void Backward(const Tensors& top, const Matrix& embeddings, std::span<const std::size_t> places,
                Matrix& d_outputs, Tensors& top_gradients, Matrix& d_states, Matrix& d_embeddings) override {
    const std::size_t units = rule_->units(), rows = hidden_.rows, m = places.size() / rows;
    const std::size_t floats = rule_->gates() * units;
    const bool has_cell = rule_->has_cell();
    d_input_ = Matrix(embeddings.rows, floats);
    d_hidden_ = Matrix(rows, floats);
    d_states = Matrix(rows, has_cell ? 2 * units : units);
    std::vector<float> d_a(floats), d_u(floats), d_h(units), d_s(units);
    for (std::size_t row = 0; row < rows * m; ++row) {
      const std::size_t r = row / m;
      std::ranges::fill(d_s, 0.0f);
      rule_->Backward(input_product_.row(places[row]), hidden_product_.row(r), hidden_.row(r),
                      has_cell ? cell_.row(r) : nullptr, tape_.row(row),
                      has_cell ? next_cell_.row(row) : nullptr, d_outputs.row(row),
                      has_cell ? d_s.data() : nullptr, d_a.data(), d_u.data(), d_h.data(), top_gradients);
      Add(d_a.data(), floats, d_input_.row(places[row]));
      Add(d_u.data(), floats, d_hidden_.row(r));
      Add(d_h.data(), units, d_states.row(r));
      if (has_cell) Add(d_s.data(), units, d_states.row(r) + units);
    }
    AddProductGradient("weight_ih", "bias_ih", embeddings.data(), d_input_, top_gradients);
    AddProductGradient("weight_hh", "bias_hh", hidden_.data(), d_hidden_, top_gradients);
    BackThroughProduct(top.at("weight_ih"), d_input_, d_embeddings);
    Matrix d_from_product;
    BackThroughProduct(top.at("weight_hh"), d_hidden_, d_from_product);
    for (std::size_t r = 0; r < rows; ++r) Add(d_from_product.row(r), units, d_states.row(r));
  }

 private:
  std::unique_ptr<GateRule> rule_;
  Matrix input_product_;   // [N, G*H]
  Matrix hidden_, cell_;   // [R, H]; cell_ empty without one
  Matrix hidden_product_;  // [R, G*H]
  Matrix tape_;            // [R*m, tape floats]
  Matrix output_;          // [R*m, H]
  Matrix next_cell_;       // [R*m, H]
  Matrix d_input_, d_hidden_;
};

class LayerSteps : public ParallelSteps {
 public:
  explicit LayerSteps(std::unique_ptr<SequenceLayer> layer) : layer_(std::move(layer)) {}

  const Matrix& Forward(const Tensors& top, const Matrix& states, const Matrix& embeddings,
                        std::span<const std::size_t> places) override {
    const std::size_t m = places.size() / states.rows;
    layer_->parameters() = top;
    layer_->Start(places.size());
    inputs_.Resize(places.size(), embeddings.cols);
    for (std::size_t row = 0; row < places.size(); ++row) {
      std::copy_n(states.row(row / m), states.cols, layer_->state().row(row));
      std::copy_n(embeddings.row(places[row]), embeddings.cols, inputs_.row(row));
    }
    rows_ = states.rows;
    return layer_->Forward(inputs_);
  }

  void Backward(const Tensors&, const Matrix& embeddings, std::span<const std::size_t> places,
                Matrix& d_outputs, Tensors& top_gradients, Matrix& d_states, Matrix& d_embeddings) override {
    Matrix d_inputs, d_first;
    layer_->ClearGradients();
    layer_->Backward(d_outputs, &d_inputs, &d_first);
    d_states = Matrix(rows_, d_first.cols);
    d_embeddings = Matrix(embeddings.rows, embeddings.cols);
    for (std::size_t row = 0; row < places.size(); ++row) {
      Add(d_first.row(row), d_first.cols, d_states.row(row * rows_ / places.size()));
      Add(d_inputs.row(row), d_inputs.cols, d_embeddings.row(places[row]));
    }
    for (auto& [name, gradient] : top_gradients) {
      const std::vector<float>& from = layer_->gradients().at(name).values;
      Add(from.data(), from.size(), gradient.values.data());
    }
  }

 private:
  std::unique_ptr<SequenceLayer> layer_;
  std::size_t rows_ = 0;  // R
  Matrix inputs_;         // [R*m, E]
};

}  // namespace

std::unique_ptr<ParallelSteps> MakeParallelSteps(const LayerSpec& top, std::size_t inputs) {
  if (auto rule = MakeGateRule(top); rule != nullptr && top.projection == 0)
    return std::make_unique<RuleSteps>(std::move(rule));
  return std::make_unique<LayerSteps>(MakeSequenceLayer(top, inputs));
}

}  // namespace tidegate
