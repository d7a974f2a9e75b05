#include "engine/model/convert.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

namespace tidegate {
namespace {

PrecisionLoss Compare(const ModelSpec& spec, const std::vector<float>& readings, const ForecastsOf& along,
                      const std::vector<float>& after) {
  const std::vector<float>& before = along.forecasts;
  PrecisionLoss loss;
  const std::size_t features = spec.features.size(), count = readings.size() / features;
  const std::size_t levels = spec.quantiles.size(), middle = levels / 2;
  for (std::size_t t = spec.warm_up < count ? spec.warm_up : 0; t < count; ++t, ++loss.forecasts) {
    for (std::size_t i = 0; i < spec.outputs(); ++i) {
      const std::size_t h = i / levels, at = t * spec.outputs() + i;
      const double change = std::abs(after[at] - before[at]) / (along.scales[t] * spec.step_deviation[h]);
      loss.mean_change += change;
      loss.largest_change = std::max(loss.largest_change, change);
      if (i % levels != middle || t + h + 1 >= count) continue;
      const double truth = readings[(t + h + 1) * features + spec.target];
      loss.mae_before += std::abs(before[at] - truth);
      loss.mae_after += std::abs(after[at] - truth);
      ++loss.scored;
    }
  }
  loss.mean_change /= static_cast<double>(loss.forecasts * spec.outputs());
  if (loss.scored > 0) {
    loss.mae_before /= static_cast<double>(loss.scored);
    loss.mae_after /= static_cast<double>(loss.scored);
  }
  return loss;
}

}  // namespace

absl::StatusOr<ConvertedModel> ConvertModel(const ModelFiles& files, Precision precision) {
  if (files.spec.precision != Precision::kF32 || precision == Precision::kF32) {
    return absl::InvalidArgumentError(
        absl::StrCat("model '", files.spec.name, "' is ", PrecisionName(files.spec.precision),
                     ", asked for is ", PrecisionName(precision), "; only f32 converts, to bf16 or int8"));
  }
  const auto before = Model::Create(files.spec, files.tensors);
  if (!before.ok()) return before.status();
  ConvertedModel converted{files, {}};
  converted.files.spec.precision = precision;
  if (auto s = Reduce(precision, converted.files.tensors); !s.ok()) return s;
  const auto after = Model::Create(converted.files.spec, converted.files.tensors);
  if (!after.ok()) return after.status();

  const std::vector<float>& readings = files.tensors.at("golden.values").values;
  const std::vector<float> forecasts = ForecastsAlong(**after, readings).forecasts;
  converted.loss = Compare(files.spec, readings, ForecastsAlong(**before, readings), forecasts);
  converted.files.tensors["golden.forecast"].values.assign(
      forecasts.end() - static_cast<std::ptrdiff_t>(files.spec.outputs()), forecasts.end());
  return converted;
}

}  // namespace tidegate
