#include "engine/model/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <ostream>
#include <string>

#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

struct Architecture {
  std::string name;
  ModelSpec spec;
  friend std::ostream& operator<<(std::ostream& out, const Architecture& a) { return out << a.name; }
};

constexpr LayerSpec kConv = {.kind = LayerKind::kConv1d, .units = 6, .kernel = 3, .relu = true};
constexpr LayerSpec kSegments = {
    .kind = LayerKind::kConv1d, .units = 6, .kernel = 4, .stride = 4, .relative = true, .relu = true};

std::vector<Architecture> Architectures() {
  std::vector<Architecture> all;
  const auto add = [&all](const char* name, std::vector<LayerSpec> layers,
                          const std::function<void(ModelSpec&)>& change) {
    ModelSpec spec = TinySpec();
    spec.layers = std::move(layers);
    change(spec);
    all.push_back({name, spec});
  };
  const auto nothing = [](ModelSpec&) {};
  const LayerSpec lstm = {.kind = LayerKind::kLstm, .units = 17};
  add("gru", {{.units = 64}}, nothing);
  add("gru_stack", {{.units = 33}, {.units = 33, .residual = true}, {.units = 5}}, nothing);
  add("lstm_stack", {lstm, lstm}, nothing);
  add("cnn_gru", {kConv, {.units = 7}}, nothing);
  add("cnn_lstm_residual", {kConv, {.kind = LayerKind::kLstm, .units = 6, .residual = true}}, nothing);
  add("cnn", {kConv, {.kind = LayerKind::kConv1d, .units = 5, .kernel = 2, .dilation = 3}}, nothing);
  add("segments", {kSegments, {.units = 7}}, nothing);
  add("strided_cnn", {{.units = 4}, kSegments}, nothing);
  add("interleaved", {kConv, kSegments, {.units = 7}, {.kind = LayerKind::kGluGru, .units = 5}},
      [](ModelSpec& s) { s.interleaved = true; });
  add("parallel", {kSegments, {.units = 7}}, [](ModelSpec& s) {
    s.interleaved = true;
    s.head = HeadKind::kParallel;
    s.segment = 1;
    s.channels = 2;
    s.linear_context = 6;
    s.cycle = 5;
  });
  add("parallel_lstm", {kSegments, lstm}, [](ModelSpec& s) {
    s.head = HeadKind::kParallel;
    s.segment = 3;
  });
  add("linear_path", {{.units = 5}}, [](ModelSpec& s) { s.linear_context = 9; });
  add("recursive", {{.units = 5}}, [](ModelSpec& s) {
    s.features.resize(1);
    s.head = HeadKind::kRecursive;
  });
  add("windowed", {kConv, kSegments, {.units = 7}}, [](ModelSpec& s) { s.window = 8; });
  add("bidirectional",
      {{.units = 5, .bidirectional = true}, {.kind = LayerKind::kLstm, .units = 4, .bidirectional = true}},
      [](ModelSpec& s) {
        s.window = 6;
        s.instance_normalisation = true;
        s.linear_context = 3;
      });
  return all;
}

class ModelTest : public testing::TestWithParam<Architecture> {
 protected:
  const std::shared_ptr<const Model> model_ = TinyModel(GetParam().spec);
};

// States and outputs of `batch` streams after `steps` steps of inputs that depend on stream and step only.
struct Result {
  std::vector<std::vector<float>> states, outputs;
};
Result RunStreams(const Model& model, std::size_t first, std::size_t batch, std::size_t steps) {
  Result run;
  run.states.assign(batch, std::vector<float>(model.state_floats()));
  std::vector<float*> pointers;
  for (auto& state : run.states) pointers.push_back(state.data());
  const std::size_t width = model.spec().inputs();
  std::vector<float> inputs(batch * width);
  std::vector<float> outputs(batch * model.spec().outputs());
  Model::Workspace workspace;
  for (std::size_t t = 0; t < steps; ++t) {
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const std::size_t stream = first + i / width;
      inputs[i] = static_cast<float>((stream * 7 + t * 13 + i % width * 5) % 17) / 8 - 1;
    }
    model.Step(inputs, pointers, outputs, workspace);
  }
  for (std::size_t b = 0; b < batch; ++b) {
    run.outputs.emplace_back(outputs.begin() + b * model.spec().outputs(),
                             outputs.begin() + (b + 1) * model.spec().outputs());
  }
  return run;
}

TEST_P(ModelTest, BitsOfAStreamDoNotDependOnItsBatch) {
  const Result together = RunStreams(*model_, 0, 100, 5);
  for (std::size_t b = 0; b < 100; ++b) {
    const Result alone = RunStreams(*model_, b, 1, 5);
    ASSERT_EQ(alone.states[0], together.states[b]) << "stream " << b;
    ASSERT_EQ(alone.outputs[0], together.outputs[b]) << "stream " << b;
  }
}

TEST_P(ModelTest, DecodeRepeatsTheBitsOfTheLastStep) {
  Result run = RunStreams(*model_, 3, 21, 4);
  std::vector<float*> pointers;
  for (auto& state : run.states) pointers.push_back(state.data());
  std::vector<float> outputs(21 * model_->spec().outputs());
  Model::Workspace workspace;
  model_->Decode(pointers, outputs, workspace);
  for (std::size_t b = 0; b < 21; ++b) {
    EXPECT_THAT(std::vector<float>(outputs.begin() + b * model_->spec().outputs(),
                                   outputs.begin() + (b + 1) * model_->spec().outputs()),
                testing::ElementsAreArray(run.outputs[b]));
  }
}

// A state from elsewhere: what steps have made is accepted, and what the counts in it must not be is not.
TEST_P(ModelTest, KnowsItsStates) {
  const Result run = RunStreams(*model_, 3, 21, 4);
  for (const auto& state : run.states) EXPECT_TRUE(model_->IsState(state));
  std::vector<float> state = run.states[0];
  EXPECT_FALSE(model_->IsState(std::span(state).first(state.size() - 1)));
  state.back() = NAN;
  EXPECT_FALSE(model_->IsState(state));
}

TEST(StateTest, CountsThatLeadBeyondAStateAreRefused) {
  ModelSpec spec = TinySpec();
  spec.window = 4;
  const auto windowed = TinyModel(spec);
  spec.window = 0;
  spec.layers = {kSegments, {.units = 7}};
  spec.interleaved = true;
  const auto interleaved = TinyModel(spec);
  for (const auto& model : {windowed, interleaved}) {  // both states begin with a count, to 4
    std::vector<float> state(model->state_floats());
    for (const float count : {1.0f, 4.0f}) {
      state[0] = count;
      EXPECT_TRUE(model->IsState(state)) << count;
    }
    for (const float count : {0.0f, -1.0f, 2.5f, 5.0f, 1e9f}) {
      state[0] = count;
      EXPECT_FALSE(model->IsState(state)) << count;
    }
  }
}

TEST_P(ModelTest, QuantilesNeverCross) {
  for (const auto& outputs : RunStreams(*model_, 0, 50, 30).outputs) {
    for (std::size_t h = 0; h < 3; ++h) {
      EXPECT_LE(outputs[3 * h], outputs[3 * h + 1]);
      EXPECT_LE(outputs[3 * h + 1], outputs[3 * h + 2]);
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Architectures, ModelTest, testing::ValuesIn(Architectures()),
                         [](const auto& a) { return a.param.name; });

TEST(ModelCreateTest, CountsStatesAndParameters) {
  const auto gru = TinyModel(TinySpec(LayerKind::kGru, 64));
  EXPECT_EQ(gru->state_floats() * sizeof(float), 256u);               // a layer of 64 units and nothing else
  EXPECT_EQ(gru->parameters(), 3u * 64 * (64 + 4 + 2) + 9 * 64 + 9);  // head: horizon 3, 3 quantiles
  const auto lstm = TinyModel(TinySpec(LayerKind::kLstm, 17, 2));
  EXPECT_EQ(lstm->state_floats(), 2u * 2 * 17);
  EXPECT_EQ(lstm->parameters(), 4u * 17 * (17 + 4 + 2) + 4 * 17 * (17 + 17 + 2) + 9 * 17 + 9);
}

TEST(ModelCreateTest, EveryMissingOrMisshapenTensorIsNamed) {
  const ModelSpec spec = TinySpec();
  const Tensors good = TinyTensors(spec);
  for (const auto& [name, tensor] : good) {
    Tensors missing = good;
    missing.erase(name);
    EXPECT_THAT(Model::Create(spec, missing).status().message(), HasSubstr(name));
    Tensors misshapen = good;
    misshapen[name].shape.push_back(1);
    EXPECT_THAT(Model::Create(spec, misshapen).status().message(), HasSubstr(name));
  }
}

// Both ways to run: the same weights, statefully and over windows of W readings.
class TwoWaysTest : public testing::TestWithParam<Architecture> {};

TEST_P(TwoWaysTest, AgreeToTheBitForTheFirstReadingsAndPartAfterwards) {
  constexpr std::size_t kWindow = 12;
  ModelSpec windowed_spec = GetParam().spec;
  windowed_spec.window = kWindow;
  const auto stateful = TinyModel(GetParam().spec), windowed = TinyModel(windowed_spec);
  for (std::size_t steps = 1; steps <= kWindow; ++steps) {
    EXPECT_EQ(RunStreams(*stateful, 2, 3, steps).outputs, RunStreams(*windowed, 2, 3, steps).outputs)
        << steps;
  }
  EXPECT_NE(RunStreams(*stateful, 2, 3, 3 * kWindow).outputs,
            RunStreams(*windowed, 2, 3, 3 * kWindow).outputs);
}

std::vector<Architecture> BothWays() {
  std::vector<Architecture> all = Architectures();
  std::erase_if(all, [](const Architecture& a) {
    // A single chain counts its hops from the stream's start, a window from its end; convolutions alone
    // forget.
    const bool single =
        !a.spec.interleaved && (a.name == "segments" || a.name == "strided_cnn" || a.name == "parallel_lstm");
    return a.spec.window > 0 || a.spec.head == HeadKind::kRecursive || single || a.name == "cnn";
  });
  return all;
}

INSTANTIATE_TEST_SUITE_P(Architectures, TwoWaysTest, testing::ValuesIn(BothWays()),
                         [](const auto& a) { return a.param.name; });

TEST(WindowTest, ForecastsFromTheLastReadingsAlone) {
  ModelSpec spec = TinySpec();
  spec.window = 4;
  const auto model = TinyModel(spec);
  std::vector<float> late(model->state_floats()), fresh = late, a(spec.outputs()), b(spec.outputs());
  Model::Workspace workspace;
  const auto step = [&](std::vector<float>& state, float value, std::vector<float>& outputs) {
    float* pointer = state.data();
    model->Step(std::vector<float>{value, -value, value / 2, 0.25f}, std::span(&pointer, 1), outputs,
                workspace);
  };
  for (int t = 0; t < 9; ++t) step(late, static_cast<float>(t), a);
  for (int t = 5; t < 9; ++t) step(fresh, static_cast<float>(t), b);
  EXPECT_EQ(a, b);
}

// y = (1 - a) of the way from the network's median to b + sum of w_k (x_{t-k} - x_t).
TEST(LinearPathTest, IsMixedInByItsWeight) {
  ModelSpec spec = TinySpec();
  spec.linear_context = 4;
  const Tensors tensors = TinyTensors(spec);
  Tensors alone = tensors;
  for (float& weight : alone["mixing.network"].values) weight = 1;
  const auto mixed = *Model::Create(spec, tensors), network = *Model::Create(spec, alone);
  for (const std::size_t steps : {2, 9}) {  // readings before the first count as equal to it
    const Result found = RunStreams(*mixed, 0, 1, steps), base = RunStreams(*network, 0, 1, steps);
    const auto level = [&](std::size_t t) { return static_cast<float>(t * 13 % 17) / 8 - 1; };
    for (std::size_t h = 0; h < 3; ++h) {
      double linear = tensors.at("linear.bias").values[h];
      for (std::size_t k = 0; k < 4; ++k) {
        const std::size_t t = steps + k >= 4 ? steps + k - 4 : 0;
        linear += tensors.at("linear.weight").values[h * 4 + k] * (level(t) - level(steps - 1));
      }
      const float weight = tensors.at("mixing.network").values[h];
      const float median = base.outputs[0][3 * h + 1];
      for (std::size_t q = 0; q < 3; ++q) {
        const double expected = base.outputs[0][3 * h + q] + (1 - weight) * (linear - median);
        EXPECT_NEAR(found.outputs[0][3 * h + q], expected, 1e-5) << h << ' ' << q;
      }
    }
  }
}

// The median's way is that of a model that is told its own forecasts as readings.
TEST(RecursiveHeadTest, RunsOnWithItsOwnForecasts) {
  ModelSpec spec = TinySpec();
  spec.features.resize(1);
  spec.head = HeadKind::kRecursive;
  const auto model = TinyModel(spec);
  std::vector<float> state(model->state_floats()), outputs(spec.outputs()), next(spec.outputs());
  Model::Workspace workspace;
  float* pointer = state.data();
  float level = 0.5f;
  model->Step(std::vector<float>{level, 0.25f}, std::span(&pointer, 1), outputs, workspace);
  float moved = outputs[1] * spec.step_deviation[0], variance = 0;
  next = outputs;
  for (std::size_t h = 0; h < 3; ++h) {
    const float unit = spec.step_deviation[0], median = next[1] * unit;
    variance += (next[2] * unit - median) * (next[2] * unit - median);
    EXPECT_NEAR(outputs[3 * h + 1] * spec.step_deviation[h], moved, 1e-5);
    EXPECT_NEAR(outputs[3 * h + 2] * spec.step_deviation[h], moved + std::sqrt(variance), 1e-5);
    const Feature& feature = spec.features[0];
    const std::vector<float> told = {level + moved / feature.deviation,
                                     median / feature.difference_deviation};
    model->Step(told, std::span(&pointer, 1), next, workspace);
    moved += next[1] * unit;
  }
}

}  // namespace
}  // namespace tidegate
