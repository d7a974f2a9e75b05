#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <memory>
#include <random>
#include <string>
#include <vector>

#include "engine/model/model_file.h"

namespace tidegate {

// A small valid model spec: two features, horizon 3, quantiles 0.1, 0.5, 0.9, one second between readings.
inline ModelSpec TinySpec(LayerKind kind = LayerKind::kGru, std::size_t units = 5, std::size_t layers = 1) {
  ModelSpec spec;
  spec.name = "tiny";
  spec.interval_ns = 1'000'000'000;
  spec.features = {{"temperature", 20, 4, 0.5}, {"humidity", 50, 10, 1}};
  spec.level_inputs = true;
  spec.layers.assign(layers, {.kind = kind, .units = units});
  spec.horizon = 3;
  spec.quantiles = {0.1f, 0.5f, 0.9f};
  spec.step_deviation = {0.5f, 0.7f, 0.9f};
  spec.warm_up = 4;
  spec.bridge_limit = 3;
  spec.trained_on = "nothing: random weights";
  return spec;
}

// Random weights for `spec`, uniform +-1 / sqrt(units of the topmost layer), with a golden pair that fits
// them. The same for equal seeds.
inline Tensors TinyTensors(const ModelSpec& spec, unsigned seed = 1) {
  std::mt19937 random(seed);
  Tensors tensors = Model::ZeroParameters(spec);
  const float bound = 1 / std::sqrt(static_cast<float>(spec.layers.back().units));
  std::uniform_real_distribution<float> uniform(-bound, bound);
  for (auto& [name, tensor] : tensors) {
    for (float& v : tensor.values) v = uniform(random);
  }

  std::vector<float> residuals;
  for (int i = 0; i <= 200; ++i) residuals.push_back(0.01f * static_cast<float>(i));
  const ResidualTable table = ResidualTable::From(residuals);
  tensors["residuals.quantiles"] = {{ResidualTable::kLevels},
                                    {table.quantiles().begin(), table.quantiles().end()}};
  tensors["residuals.count"] = {{1}, {static_cast<float>(table.count())}};

  const std::size_t steps = 6;
  Tensor& golden = tensors["golden.values"] = {{steps, spec.features.size()}, {}};
  std::uniform_real_distribution<float> value(10, 60);
  for (std::size_t i = 0; i < steps * spec.features.size(); ++i) golden.values.push_back(value(random));
  tensors["golden.forecast"] = {{spec.horizon, spec.quantiles.size()}, std::vector<float>(spec.outputs())};
  const auto model = Model::Create(spec, tensors);
  EXPECT_TRUE(model.ok()) << model.status();
  tensors["golden.forecast"].values = ForecastAfter(**model, golden.values);
  return tensors;
}

inline std::shared_ptr<const Model> TinyModel(const ModelSpec& spec = TinySpec(), unsigned seed = 1) {
  return *Model::Create(spec, TinyTensors(spec, seed));
}

}  // namespace tidegate
