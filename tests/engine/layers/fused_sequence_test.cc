#include "engine/cells/fused_sequence.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <random>
#include <tuple>

#include "engine/cells/recurrent_sequence.h"
#include "engine/layers/make_layer.h"

namespace tidegate {
namespace {

using testing::FloatNear;
using testing::Pointwise;

Matrix RandomMatrix(std::size_t rows, std::size_t cols, std::mt19937& random) {
  std::uniform_real_distribution<float> uniform(-1, 1);
  Matrix m(rows, cols);
  for (float& v : m.values) v = uniform(random);
  return m;
}

// Against the plain rules, which are checked against PyTorch and by differences: outputs, states carried on,
// every gradient, over two windows with Backward after each.
class FusedSequenceTest
    : public testing::TestWithParam<std::tuple<LayerKind, std::size_t, std::size_t, bool>> {};

TEST_P(FusedSequenceTest, ComputesWhatThePlainRulesDo) {
  const auto [kind, units, batch, whole_state] = GetParam();
  const std::size_t steps = 7, inputs = 3;
  std::mt19937 random(5);
  const LayerSpec spec = {.kind = kind, .units = units};
  Tensors tensors = ZeroParameters(spec, inputs);
  std::uniform_real_distribution<float> uniform(-0.5f, 0.5f);
  for (auto& [name, tensor] : tensors) {
    for (float& v : tensor.values) v = uniform(random);
  }
  FusedSequence fused(tensors);
  RecurrentSequence plain(MakeGateRule(spec), tensors);
  ASSERT_EQ(fused.state_floats(), plain.state_floats());
  fused.Start(batch);
  plain.Start(batch);
  fused.state() = plain.state() = RandomMatrix(batch, plain.state_floats(), random);
  for (int window = 0; window < 2; ++window) {
    const Matrix x = RandomMatrix(steps * batch, inputs, random);
    ASSERT_THAT(fused.Forward(x).values, Pointwise(FloatNear(2e-6f), plain.Forward(x).values));
    ASSERT_THAT(fused.state().values, Pointwise(FloatNear(2e-6f), plain.state().values));
    if (plain.cells() != nullptr) {
      for (std::size_t i = 0; i < steps * batch * units; ++i)
        ASSERT_NEAR(fused.cells()[i], plain.cells()[i], 2e-6f);
    }
    Matrix d_y = RandomMatrix(steps * batch, whole_state ? plain.state_floats() : units, random);
    Matrix d_y_too = d_y, d_x, d_x_too, d_first, d_first_too;
    fused.Backward(d_y, &d_x, &d_first);
    plain.Backward(d_y_too, &d_x_too, &d_first_too);
    EXPECT_THAT(d_x.values, Pointwise(FloatNear(2e-5f), d_x_too.values));
    EXPECT_THAT(d_first.values, Pointwise(FloatNear(2e-5f), d_first_too.values));
    for (const auto& [name, gradient] : plain.gradients())
      EXPECT_THAT(fused.gradients().at(name).values, Pointwise(FloatNear(1e-4f), gradient.values)) << name;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, FusedSequenceTest,
                         testing::Combine(testing::Values(LayerKind::kGru, LayerKind::kLstm),
                                          testing::Values(1, 5, 16, 37), testing::Values(1, 4, 11),
                                          testing::Bool()));

}  // namespace
}  // namespace tidegate
