#include "engine/train/network.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "engine/model/model.h"
#include "engine/train/pinball.h"
#include "engine/train/random.h"
#include "tests/engine/cells/reference.h"

namespace tidegate {
namespace {

using reference::Var;

constexpr std::size_t kBatch = 3, kSteps = 7;

// A GRU below an LSTM, two features, three steps ahead.
ModelSpec SmallSpec() {
  ModelSpec spec;
  spec.name = "small";
  spec.interval_ns = 1;
  spec.features = {{.name = "a"}, {.name = "b"}};
  spec.layers = {{CellKind::kGru, 5}, {CellKind::kLstm, 4}};
  spec.horizon = 3;
  spec.quantiles = {0.1f, 0.3f, 0.5f, 0.7f, 0.9f};
  spec.step_deviation = {1, 1, 1};
  return spec;
}

class NetworkTest : public testing::Test {
 protected:
  NetworkTest() : spec_(SmallSpec()), weights_(spec_), x_(kSteps * kBatch, 2), targets_(x_.rows, 3) {
    Random random(11);
    weights_.Randomise(random);
    for (float& value : x_.values) value = random.Uniform(3);
    for (float& value : targets_.values) value = random.Uniform(2);
    targets_.values[4] = std::numeric_limits<float>::quiet_NaN();
  }

  std::vector<double> FlatWeights() {
    std::vector<double> flat;
    for (const auto array : weights_.AsArrays()) flat.insert(flat.end(), array.begin(), array.end());
    return flat;
  }

  // The outputs [T*B, horizon*Q] of the reference.
  template <typename T>
  std::vector<std::vector<T>> Reference(const std::vector<T>& flat) {
    auto next = flat.begin();
    const auto take = [&next](std::size_t n) {
      next += static_cast<std::ptrdiff_t>(n);
      return std::vector<T>(next - static_cast<std::ptrdiff_t>(n), next);
    };
    const auto layer = [&](std::size_t rows, std::size_t inputs, std::size_t units) {
      reference::Weights<T> weights;
      weights.input = take(rows * inputs);
      weights.hidden = take(rows * units);
      weights.input_bias = take(rows);
      weights.hidden_bias = take(rows);
      return weights;
    };
    const auto gru = layer(15, 2, 5), lstm = layer(16, 5, 4);
    const auto head = take(15 * 4), bias = take(15);
    std::vector<std::vector<T>> g(kBatch, std::vector<T>(5)), h(kBatch, std::vector<T>(4)), s = h, outputs;
    for (std::size_t row = 0; row < x_.rows; ++row) {
      const std::size_t b = row % kBatch;
      reference::GruStep(gru, std::vector<T>(x_.row(row), x_.row(row) + 2), g[b]);
      reference::LstmStep(lstm, g[b], h[b], s[b]);
      outputs.push_back(reference::Uncross(reference::Dense(head, bias, h[b]), 5));
    }
    return outputs;
  }

  ModelSpec spec_;
  NetworkWeights weights_;
  Matrix x_;
  Matrix targets_;
};

TEST_F(NetworkTest, OutputsAgreeWithReference) {
  Network network(spec_);
  Matrix outputs;
  network.Start(kBatch);
  network.Forward(weights_, x_);
  network.Decode(weights_, outputs);
  const auto expected = Reference(FlatWeights());
  for (std::size_t row = 0; row < x_.rows; ++row) {
    EXPECT_THAT(std::vector<float>(outputs.row(row), outputs.row(row) + outputs.cols),
                testing::Pointwise(testing::DoubleNear(1e-5), expected[row]));
  }
}

TEST_F(NetworkTest, GradientAgreesWithReference) {
  Network network(spec_);
  Matrix outputs;
  network.Start(kBatch);
  network.Forward(weights_, x_);
  network.Decode(weights_, outputs);
  Matrix d_outputs = outputs;
  NetworkWeights gradient(spec_);
  PinballGradient(targets_, spec_.quantiles, 1, d_outputs);
  network.Backward(weights_, x_, outputs, d_outputs, gradient);
  std::vector<double> found;
  for (const auto array : gradient.AsArrays()) found.insert(found.end(), array.begin(), array.end());

  const auto leaves = Var::Leaves(FlatWeights());
  const auto forecasts = Reference(leaves);
  Var loss(0);
  for (std::size_t i = 0; i < targets_.size(); ++i) {
    if (std::isnan(targets_.values[i])) continue;
    for (std::size_t q = 0; q < 5; ++q) {
      loss =
          loss + reference::Pinball(targets_.values[i], spec_.quantiles[q], forecasts[i / 3][i % 3 * 5 + q]);
    }
  }
  const auto expected = Var::Gradient(loss, leaves);
  double largest = 0;
  for (const double value : expected) largest = std::max(largest, std::abs(value));
  EXPECT_THAT(found, testing::Pointwise(testing::DoubleNear(1e-4 * largest), expected));
}

TEST_F(NetworkTest, AnswersAsTheServedModelDoes) {
  Tensors tensors = weights_.AsTensors();
  tensors["residuals.quantiles"] = {{ResidualTable::kLevels}, std::vector<float>(ResidualTable::kLevels)};
  tensors["residuals.count"] = {{1}, {1}};
  tensors["golden.values"] = {{1, 2}, {0, 0}};
  tensors["golden.forecast"] = {{3, 5}, std::vector<float>(15)};
  const auto model = Model::Create(spec_, tensors);
  ASSERT_TRUE(model.ok()) << model.status();

  Network network(spec_);
  Matrix outputs;
  network.Start(kBatch);
  network.Forward(weights_, x_);
  network.Decode(weights_, outputs);
  Model::Workspace workspace;
  Matrix state(kBatch, (*model)->state_floats()), served(kBatch, spec_.outputs());
  std::vector<float*> states = {state.row(0), state.row(1), state.row(2)};
  for (std::size_t row = 0; row < x_.rows; row += kBatch) {
    (*model)->Step({x_.row(row), kBatch * 2}, states, served.values, workspace);
    const std::vector<float> trained(outputs.row(row), outputs.row(row) + served.size());
    EXPECT_THAT(served.values, testing::Pointwise(testing::FloatNear(1e-5f), trained)) << "row " << row;
  }
}

TEST_F(NetworkTest, CarriesItsStatesOn) {
  Network whole(spec_), parts(spec_);
  Matrix expected, outputs;
  whole.Start(kBatch);
  whole.Forward(weights_, x_);
  whole.Decode(weights_, expected);
  parts.Start(kBatch);
  for (std::size_t step = 0; step < kSteps; ++step) {
    Matrix x(kBatch, 2);
    std::copy_n(x_.row(step * kBatch), x.size(), x.data());
    parts.Forward(weights_, x);
  }
  parts.Decode(weights_, outputs);
  const std::vector<float> last(expected.row((kSteps - 1) * kBatch), expected.row(0) + expected.size());
  EXPECT_THAT(outputs.values, testing::Pointwise(testing::FloatNear(1e-5f), last));
}

}  // namespace
}  // namespace tidegate
