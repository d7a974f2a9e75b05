// A window's outputs and last states are, bit for bit, those of its steps one by one.
#include "engine/layers/run_window.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <tuple>
#include <vector>

#include "engine/layers/make_layer.h"
#include "tests/engine/layers/layer_problem.h"

namespace tidegate {
namespace {

std::vector<LayerFamily> Families() {
  std::vector<LayerFamily> families = LayerFamilies();
  std::erase_if(families, [](const LayerFamily& f) { return f.spec.bidirectional; });  // made of two of these
  return families;
}

class RunWindowTest : public testing::TestWithParam<std::tuple<LayerFamily, Precision>> {};

TEST_P(RunWindowTest, GivesTheBitsOfStepping) {
  const auto& [family, precision] = GetParam();
  for (const auto& [units, batch, steps] :
       {std::tuple(33, 1, 131), std::tuple(16, 7, 20), std::tuple(70, 100, 3), std::tuple(5, 2, 24)}) {
    const auto streams = static_cast<std::size_t>(batch), window = static_cast<std::size_t>(steps);
    const LayerProblem problem =
        Rounded(MakeProblem(family, 3, static_cast<std::size_t>(units), streams, window, 1), precision);
    const auto layer = MakeLayer(problem.spec, problem.parameters, precision);
    Scratch scratch, own;
    std::vector<const float*> x, y(streams * window), now(streams);
    std::vector<float*> states(streams), stepped_states;
    for (std::size_t row = 0; row < streams * window; ++row) x.push_back(problem.x.row(row));
    RunWindow(*layer, x.data(), window, streams, scratch, y.data(), states.data());

    Matrix state(streams, layer->state_floats());
    for (std::size_t b = 0; b < streams; ++b) stepped_states.push_back(state.row(b));
    for (std::size_t t = 0; t < window; ++t) {
      own.Reset();
      layer->Step(&x[t * streams], stepped_states.data(), now.data(), streams, own);
      for (std::size_t b = 0; b < streams; ++b) {
        ASSERT_EQ(std::memcmp(y[t * streams + b], now[b], layer->outputs() * sizeof(float)), 0)
            << units << " units, stream " << b << " of " << batch << ", step " << t;
      }
    }
    for (std::size_t b = 0; b < streams; ++b) {
      EXPECT_EQ(std::memcmp(states[b], state.row(b), state.cols * sizeof(float)), 0);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, RunWindowTest,
                         testing::Combine(testing::ValuesIn(Families()),
                                          testing::Values(Precision::kF32, Precision::kBf16)),
                         [](const auto& kind) {
                           return std::get<0>(kind.param).name + "_" + PrecisionName(std::get<1>(kind.param));
                         });

}  // namespace
}  // namespace tidegate
