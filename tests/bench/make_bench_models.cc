// Writes the models of serve_against_echo.py into a folder, with random weights: make_bench_models DIR

#include <iostream>
#include <random>
#include <utility>
#include <vector>

#include "engine/model/convert.h"
#include "engine/model/model_file.h"
#include "engine/stream/even_quantiles.h"
#include "tests/support/tiny_model.h"

namespace tidegate {
namespace {

// One feature, a reading a second, 24 steps ahead.
ModelSpec Spec(const char* name, const LayerSpec& layer, const std::vector<float>& quantiles) {
  ModelSpec spec = TinySpec();
  spec.name = name;
  spec.features.resize(1);
  spec.layers = {layer};
  spec.horizon = 24;
  spec.quantiles = quantiles;
  spec.step_deviation.assign(spec.horizon, 1.0f);
  return spec;
}

// Random weights, and tables as of a validation: normal errors, and ratios of widths that a normal error has.
Tensors TrainedTensors(const ModelSpec& spec) {
  Tensors tensors = TinyTensors(spec);
  if (spec.quantiles.size() == 1) return tensors;
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  Tensor& ratios = tensors["calibration.ratios"];
  ratios.shape = {spec.ScoredSteps().size() * (spec.quantiles.size() - 1), CalibrationTable::kLevels};
  for (std::size_t row = 0; row < ratios.shape[0]; ++row) {
    std::vector<float> seen(10'000);
    for (float& ratio : seen) ratio = normal(random) / 1.2816f;  // the normal distribution's 0.9 quantile
    const std::vector<float> even = EvenQuantiles(std::move(seen), CalibrationTable::kLevels);
    ratios.values.insert(ratios.values.end(), even.begin(), even.end());
  }
  tensors["golden.forecast"].values =
      ForecastAfter(**Model::Create(spec, tensors), tensors["golden.values"].values);
  return tensors;
}

// `spec` with bf16 weights, under a name of its own.
absl::Status WriteBf16(const std::filesystem::path& folder, ModelSpec spec) {
  spec.name += "-bf16";
  auto converted = ConvertModel({spec, TrainedTensors(spec)}, Precision::kBf16);
  if (!converted.ok()) return converted.status();
  return WriteModel(folder / spec.name / "1", converted->files.spec, converted->files.tensors);
}

int Main(const std::filesystem::path& folder) {
  const LayerSpec gru = {.kind = LayerKind::kGru, .units = 64};
  const std::vector<float> point = {0.5f};
  const std::vector<float> interval = {0.1f, 0.5f, 0.9f};
  for (const ModelSpec& spec : {
           // As little as a model can do: the last value times a weight for each step.
           Spec("linear", {.kind = LayerKind::kConv1d, .units = 1, .kernel = 1}, point),
           Spec("gru64", gru, point),
           Spec("gru64-quantiles", gru, interval),
       }) {
    const absl::Status written = WriteModel(folder / spec.name / "1", spec, TrainedTensors(spec));
    if (!written.ok()) {
      std::cerr << written.message() << '\n';
      return 1;
    }
  }
  if (const absl::Status written = WriteBf16(folder, Spec("gru64", gru, point)); !written.ok()) {
    std::cerr << written.message() << '\n';
    return 1;
  }
  return 0;
}

}  // namespace
}  // namespace tidegate

int main(int argc, char** argv) {
  if (argc != 2) {
    std::cerr << "make_bench_models DIR: the folder to write the models into\n";
    return 1;
  }
  return tidegate::Main(argv[1]);
}
