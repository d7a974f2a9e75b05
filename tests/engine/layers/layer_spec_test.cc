#include "engine/layers/layer_spec.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/cells/update_gate.h"
#include "tests/engine/layers/layer_problem.h"
#include "tests/engine/layers/reference.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

std::size_t Count(const LayerSpec& spec, std::size_t inputs) {
  std::size_t count = 0;
  for (const auto& [name, tensor] : ZeroParameters(spec, inputs)) count += tensor.values.size();
  return count;
}

TEST(LayerSpecTest, CountsOfParametersAreTheTextbooks) {
  for (const std::size_t inputs : {1, 8}) {
    for (const std::size_t h : {1, 16, 64}) {
      // 4 H (H + I + 1) for an LSTM, 3 H (H + I + 1) for a GRU; PyTorch's second bias is extra.
      EXPECT_EQ(Count({.kind = LayerKind::kLstm, .units = h}, inputs), 4 * h * (h + inputs + 1) + 4 * h);
      EXPECT_EQ(Count({.kind = LayerKind::kGru, .units = h}, inputs), 3 * h * (h + inputs + 1) + 3 * h);
      EXPECT_EQ(Count({.kind = LayerKind::kGru, .units = h, .bidirectional = true}, inputs),
                2 * (3 * h * (h + inputs + 1) + 3 * h));
      EXPECT_EQ(Count({.kind = LayerKind::kLstm, .units = h, .peepholes = true}, inputs),
                4 * h * (h + inputs + 2) + 3 * h);
      EXPECT_EQ(Count({.kind = LayerKind::kGruResetBefore, .units = h}, inputs),
                3 * h * (h + inputs + 1) + 3 * h);
      EXPECT_EQ(Count({.kind = LayerKind::kGluGru, .units = h}, inputs), 4 * h * (h + inputs + 2));
      // A gain and a bias for each sum that is normalised, in place of the biases of the products.
      EXPECT_EQ(Count({.kind = LayerKind::kGruLayerNorm, .units = h}, inputs), 3 * h * (h + inputs + 4));
      EXPECT_EQ(Count({.kind = LayerKind::kLstmLayerNorm, .units = h}, inputs),
                4 * h * (h + inputs + 4) + 2 * h);
      EXPECT_EQ(Count({.kind = LayerKind::kConv1d, .units = h, .kernel = 5}, inputs), h * (5 * inputs + 1));
    }
  }
  EXPECT_EQ(Count({.kind = LayerKind::kLstm, .units = 8, .projection = 3}, 2), 4u * 8 * (3 + 2 + 2) + 3 * 8);
}

TEST(LayerSpecTest, RefusesWhatDoesNotFit) {
  const auto error = [](const LayerSpec& spec) { return std::string(CheckLayer(spec, 4).message()); };
  EXPECT_EQ(error({.units = 4}), "");
  EXPECT_THAT(error({.units = 0}), HasSubstr("units: 0; expected 1 to 4096"));
  EXPECT_THAT(error({.units = 4, .peepholes = true}), HasSubstr("are an lstm's alone"));
  EXPECT_THAT(error({.kind = LayerKind::kLstm, .units = 4, .projection = 4}), HasSubstr("fewer than units"));
  EXPECT_THAT(error({.units = 4, .kernel = 3}), HasSubstr("are a conv1d's alone"));
  EXPECT_THAT(error({.kind = LayerKind::kConv1d, .units = 4, .bidirectional = true}), HasSubstr("recurrent"));
  EXPECT_THAT(error({.kind = LayerKind::kConv1d, .units = 4, .kernel = 0}), HasSubstr("kernel: 0"));
  EXPECT_THAT(error({.kind = LayerKind::kConv1d, .units = 4, .kernel = 1000, .dilation = 5}),
              HasSubstr("4995"));
  EXPECT_THAT(error({.units = 5, .residual = true}), HasSubstr("4 inputs cannot be added to 5 outputs"));
  EXPECT_THAT(error({.units = 4, .dropout = 1}), HasSubstr("dropout"));
}

TEST(UpdateGateTest, FlippedWeightsGiveTheOtherConvention) {
  const LayerFamily family = LayerFamilies()[0];
  LayerProblem problem = MakeProblem(family, 3, 6, 1, 1, 5);
  FlipUpdateGate(problem.parameters);
  const Matrix found = StepOutputs(problem);
  FlipUpdateGate(problem.parameters);
  const auto values = [&](const char* name) {
    const auto& v = problem.parameters.at(name).values;
    return std::vector<double>(v.begin(), v.end());
  };
  const std::vector<double> x(problem.x.values.begin(), problem.x.values.end());
  const std::vector<double> h(problem.state.values.begin(), problem.state.values.end());
  const auto a = reference::Dense(values("weight_ih"), values("bias_ih"), x);
  const auto u = reference::Dense(values("weight_hh"), values("bias_hh"), h);
  for (std::size_t j = 0; j < 6; ++j) {
    const double r = reference::Sigmoid(a[j] + u[j]), z = reference::Sigmoid(a[6 + j] + u[6 + j]);
    const double n = std::tanh(a[12 + j] + r * u[12 + j]);
    EXPECT_NEAR(found.values[j], z * n + (1 - z) * h[j], 1e-6);  // Chung et al. 2014, eq. 4
  }
}

}  // namespace
}  // namespace tidegate
