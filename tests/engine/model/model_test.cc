#include "engine/model/model.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

struct Architecture {
  CellKind cell;
  std::size_t units, layers;
};

class ModelTest : public testing::TestWithParam<Architecture> {
 protected:
  const std::shared_ptr<const Model> model_ =
      TinyModel(TinySpec(GetParam().cell, GetParam().units, GetParam().layers));
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
  const std::size_t width = TinySpec().inputs();  // of all models here
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

TEST_P(ModelTest, QuantilesNeverCross) {
  for (const auto& outputs : RunStreams(*model_, 0, 50, 30).outputs) {
    for (std::size_t h = 0; h < 3; ++h) {
      EXPECT_LE(outputs[3 * h], outputs[3 * h + 1]);
      EXPECT_LE(outputs[3 * h + 1], outputs[3 * h + 2]);
    }
  }
}

TEST_P(ModelTest, CountsStatesAndParameters) {
  const auto [cell, h, layers] = GetParam();
  const std::size_t gates = cell == CellKind::kGru ? 3 : 4;
  std::size_t expected = 9 * h + 9;  // head: horizon 3, 3 quantiles
  for (std::size_t i = 0; i < layers; ++i) expected += gates * h * (h + (i == 0 ? 4 : h) + 2);
  EXPECT_EQ(model_->parameters(), expected);
  EXPECT_EQ(model_->state_floats(), layers * h * (cell == CellKind::kGru ? 1 : 2));
}

INSTANTIATE_TEST_SUITE_P(Architectures, ModelTest,
                         testing::Values(Architecture{CellKind::kGru, 5, 1},
                                         Architecture{CellKind::kLstm, 5, 1},
                                         Architecture{CellKind::kGru, 64, 1},
                                         Architecture{CellKind::kGru, 33, 3},
                                         Architecture{CellKind::kLstm, 17, 2}));

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

}  // namespace
}  // namespace tidegate
