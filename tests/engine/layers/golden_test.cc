// Every kind of layer against PyTorch: tests/golden/make_layers.py.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <string>

#include "engine/model/safetensors.h"
#include "tests/engine/layers/layer_problem.h"

namespace tidegate {
namespace {

constexpr std::size_t kCases = 12;

Matrix Rows(const Tensor& tensor) {  // the first dimensions as one
  Matrix matrix;
  matrix.cols = tensor.shape.back();
  matrix.rows = tensor.values.size() / matrix.cols;
  matrix.values = tensor.values;
  return matrix;
}

class GoldenTest : public testing::TestWithParam<LayerFamily> {
 protected:
  void SetUp() override {
    const std::string path =
        std::string(TIDEGATE_SOURCE_DIR) + "/tests/golden/" + GetParam().name + ".safetensors";
    std::ifstream file(path, std::ios::binary);
    const std::string bytes{std::istreambuf_iterator<char>(file), {}};
    const auto tensors = ParseSafetensors(bytes);
    ASSERT_TRUE(tensors.ok()) << path << ": " << tensors.status();
    for (std::size_t c = 0; c < kCases; ++c) cases_.push_back(Below(std::to_string(c) + ".", *tensors));
  }

  LayerProblem Problem(const Tensors& golden) const {
    LayerProblem problem;
    problem.spec = GetParam().spec;
    problem.parameters = Below("parameters.", golden);
    const auto& x = golden.at("x");
    problem.steps = x.shape[0];
    problem.batch = x.shape[1];
    problem.inputs = x.shape[2];
    problem.x = Rows(x);
    problem.slope = Rows(golden.at("slope"));
    const auto& parameters = problem.parameters;
    problem.spec.units = IsRecurrent(problem.spec.kind)
                             ? parameters.at("weight_ih").shape[0] / GatesOf(problem.spec.kind)
                             : parameters.at("weight").shape[0];
    if (problem.spec.projection != 0) problem.spec.projection = parameters.at("weight_hr").shape[0];
    problem.state = golden.contains("state")
                        ? Rows(golden.at("state"))
                        : Matrix(problem.batch, StateFloats(problem.spec, problem.inputs));
    return problem;
  }

  std::vector<Tensors> cases_;
};

TEST_P(GoldenTest, StepGivesPyTorchsOutputsAndLastState) {
  for (const Tensors& golden : cases_) {
    Matrix last;
    EXPECT_THAT(StepOutputs(Problem(golden), &last).values,
                testing::Pointwise(testing::FloatNear(2e-6f), golden.at("y").values));
    if (!golden.contains("last")) continue;
    EXPECT_THAT(last.values, testing::Pointwise(testing::FloatNear(2e-6f), golden.at("last").values));
  }
}

TEST_P(GoldenTest, SequenceGivesPyTorchsOutputsAndLastState) {
  for (const Tensors& golden : cases_) {
    Matrix last;
    EXPECT_THAT(SequenceOutputs(Problem(golden), &last).values,
                testing::Pointwise(testing::FloatNear(2e-6f), golden.at("y").values));
    if (!golden.contains("last")) continue;
    EXPECT_THAT(last.values, testing::Pointwise(testing::FloatNear(2e-6f), golden.at("last").values));
  }
}

TEST_P(GoldenTest, GradientIsPyTorchs) {
  for (const Tensors& golden : cases_) {
    LayerProblem gradient = Problem(golden);
    const auto found = SequenceGradient(gradient);
    for (auto& [name, tensor] : gradient.parameters) tensor = golden.at("gradient." + name);
    gradient.x = Rows(golden.at("gradient.x"));
    if (golden.contains("state")) gradient.state = Rows(golden.at("gradient.state"));
    const auto expected = Flat(gradient);
    double largest = 0;
    for (const double v : expected) largest = std::max(largest, std::abs(v));
    EXPECT_THAT(found, testing::Pointwise(testing::DoubleNear(1e-5 * largest), expected));
  }
}

// The double-precision reference that the random tests trust is PyTorch's too, to the goldens' single
// precision.
TEST_P(GoldenTest, ReferenceIsPyTorchs) {
  for (const Tensors& golden : cases_) {
    const LayerProblem problem = Problem(golden);
    const auto& y =
        golden.at("y").values;  // rounded to floats: half a unit in the last place is 6e-8 of each
    const auto outputs = ReferenceOutputs(problem);
    ASSERT_EQ(outputs.size(), y.size());
    for (std::size_t i = 0; i < y.size(); ++i) {
      EXPECT_NEAR(outputs[i], y[i], 2e-7 * std::max(1.0f, std::abs(y[i])));
    }
    LayerProblem gradient = problem;
    for (auto& [name, tensor] : gradient.parameters) tensor = golden.at("gradient." + name);
    gradient.x = Rows(golden.at("gradient.x"));
    if (golden.contains("state")) gradient.state = Rows(golden.at("gradient.state"));
    const auto expected = Flat(gradient);
    double largest = 0;
    for (const double v : expected) largest = std::max(largest, std::abs(v));
    EXPECT_THAT(ReferenceGradient(problem),
                testing::Pointwise(testing::DoubleNear(2e-7 * largest), expected));
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, GoldenTest, testing::ValuesIn(LayerFamilies()),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace tidegate
