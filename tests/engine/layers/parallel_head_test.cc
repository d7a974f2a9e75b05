#include "engine/layers/parallel_head.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

#include "engine/layers/make_layer.h"
#include "tests/engine/layers/layer_problem.h"
#include "tests/engine/layers/reference_layer.h"

namespace tidegate {
namespace {

std::vector<double> Doubles(const Tensor& tensor) { return {tensor.values.begin(), tensor.values.end()}; }

class ParallelHeadTest : public testing::TestWithParam<LayerFamily> {};

// Each segment of each stream from the same state, told its place and channel, by the reference in double.
TEST_P(ParallelHeadTest, DecodesEverySegmentFromTheSameState) {
  constexpr std::size_t kBatch = 5;
  const LayerProblem problem = MakeProblem(GetParam(), 7, 6, kBatch, 1, 3);
  const std::size_t outputs = OutputsOf(problem.spec);
  for (const std::size_t channels : {0, 3}) {
    const ParallelHead::Sizes sizes = {
        .horizon = 8, .segment = 2, .quantiles = 3, .channels = channels, .inputs = 7, .units = outputs};
    Tensors tensors = ZeroTensors(ParallelHead::ParameterShapes(sizes));
    float value = 0;
    for (auto& [name, tensor] : tensors) {
      for (float& v : tensor.values) v = std::sin(value += 1.7f);
    }
    Matrix states = problem.state;
    std::vector<float*> rows;
    for (std::size_t b = 0; b < kBatch; ++b) rows.push_back(states.row(b));
    const std::vector<std::size_t> channel = {2, 0, 1, 1, 2};
    std::vector<float> found(kBatch * 8 * 3);
    Scratch scratch;
    const auto top = MakeLayer(problem.spec, problem.parameters);
    ParallelHead(sizes, tensors).Apply(*top, rows.data(), channel.data(), found.data(), kBatch, scratch);
    EXPECT_EQ(states.values, problem.state.values);

    reference::Parameters<double> parameters;
    for (const auto& [name, tensor] : problem.parameters) parameters[name] = Doubles(tensor);
    for (std::size_t b = 0; b < kBatch; ++b) {
      const std::vector<double> state(problem.state.row(b), problem.state.row(b) + problem.state.cols);
      for (std::size_t j = 0; j < 4; ++j) {
        const std::size_t width = channels == 0 ? 7 : 4;  // 7 less the channel's 3
        const auto position = Doubles(tensors.at("position"));
        std::vector<double> x = reference::Part(position, j * width, width);
        if (channels > 0) {
          const auto embedding = reference::Part(Doubles(tensors.at("channel")), channel[b] * 3, 3);
          x.insert(x.end(), embedding.begin(), embedding.end());
        }
        const auto h = reference::RunLayer<double>(problem.spec, parameters, {x}, state)[0];
        const auto expected = reference::Uncross(
            reference::Dense(Doubles(tensors.at("weight")), Doubles(tensors.at("bias")), h), 3);
        for (std::size_t i = 0; i < 6; ++i) EXPECT_NEAR(found[(b * 4 + j) * 6 + i], expected[i], 1e-5);
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, ParallelHeadTest,
                         testing::Values(LayerFamilies()[0], LayerFamilies()[3], LayerFamilies()[6]),
                         [](const auto& kind) { return kind.param.name; });

}  // namespace
}  // namespace tidegate
