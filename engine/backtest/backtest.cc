#include "engine/backtest/backtest.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <span>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/stream/pinball.h"
#include "engine/stream/stream.h"

namespace tidegate {
namespace {

absl::Status Check(const Model& model, const std::vector<Series>& series, const BacktestOptions& options,
                   const std::vector<std::size_t>& horizons) {
  const ModelSpec& spec = model.spec();
  for (const std::size_t horizon : horizons) {
    if (horizon == 0 || horizon > spec.horizon) {
      return absl::InvalidArgumentError(absl::StrCat("horizon ", horizon, ": model '", spec.name,
                                                     "' forecasts 1 to ", spec.horizon, " steps"));
    }
  }
  if (series.empty()) return absl::InvalidArgumentError("no series to replay");
  for (const Series& one : series) {
    if (one.features != spec.features.size()) {
      return absl::InvalidArgumentError(absl::StrCat("stream '", one.stream, "' has ", one.features,
                                                     " features, model '", spec.name, "' takes ",
                                                     spec.features.size()));
    }
    const std::size_t least = std::max<std::size_t>(options.from, 1) + *std::ranges::min_element(horizons);
    if (one.size() < least) {
      return absl::InvalidArgumentError(absl::StrCat("stream '", one.stream, "' has ", one.size(),
                                                     " rows; scoring from row ", options.from,
                                                     " on takes at least ", least));
    }
  }
  return absl::OkStatus();
}

// One series as it is replayed.
struct Replayed {
  Replayed(const Model& model, const Series& s) : series(&s), floats(StreamFloats(model)) {
    StartStream(model, StreamRef(model, header, floats));
  }
  float Target(const ModelSpec& spec, std::size_t t) const {
    return series->scored[t] ? series->values[t * series->features + spec.target]
                             : std::numeric_limits<float>::quiet_NaN();
  }
  const Series* series;
  StreamHeader header;
  std::vector<float> floats;
  float last = std::numeric_limits<float>::quiet_NaN();  // known value of the target
};

float DeviationOf(const ModelSpec& spec, const Replayed& stream) {
  if (spec.channel_scales.empty()) return spec.features[spec.target].deviation;
  return spec.channel_scales[spec.ChannelOf(stream.series->values[stream.series->features - 1])].deviation;
}

// Adds the forecast made at row t [horizon, Q] to every horizon whose targets are all there.
void Score(const ModelSpec& spec, const Replayed& stream, std::size_t t, std::span<const float> forecast,
           std::vector<HorizonScore>& scores) {
  const std::size_t levels = spec.quantiles.size(), n = stream.series->size();
  const double deviation = DeviationOf(spec, stream);
  HorizonScore sum;
  std::size_t h = 0;
  for (HorizonScore& score : scores) {  // rising horizons: each goes on where the one before ended
    if (t + score.horizon >= n) return;
    for (; h < score.horizon; ++h) {
      const float target = stream.Target(spec, t + 1 + h);
      const float* const row = forecast.data() + h * levels;
      const double error = row[levels / 2] - target, naive = stream.last - target;
      if (std::isnan(error) || std::isnan(naive)) continue;
      ++sum.scored;
      sum.mse += error * error / (deviation * deviation);
      sum.mae += std::abs(error) / deviation;
      sum.error += std::abs(error);
      sum.pinball += Pinball(target, spec.quantiles, row) / (deviation * static_cast<double>(levels));
      sum.coverage += target >= row[0] && target <= row[levels - 1] ? 1 : 0;
      sum.width += (row[levels - 1] - row[0]) / deviation;
      sum.persistence_mse += naive * naive / (deviation * deviation);
      sum.persistence_mae += std::abs(naive) / deviation;
    }
    score.scored += sum.scored;
    for (double HorizonScore::*const field :
         {&HorizonScore::mse, &HorizonScore::mae, &HorizonScore::error, &HorizonScore::pinball,
          &HorizonScore::coverage, &HorizonScore::width, &HorizonScore::persistence_mse,
          &HorizonScore::persistence_mae}) {
      score.*field += sum.*field;
    }
  }
}

}  // namespace

absl::StatusOr<Backtest> RunBacktest(const Model& model, const std::vector<Series>& series,
                                     const BacktestOptions& options,
                                     const std::function<void(std::size_t, std::size_t)>& progress) {
  const ModelSpec& spec = model.spec();
  std::vector<std::size_t> horizons = options.horizons;
  if (horizons.empty()) horizons = {spec.horizon};
  std::ranges::sort(horizons);
  if (absl::Status status = Check(model, series, options, horizons); !status.ok()) return status;

  Backtest result;
  std::size_t rows = 0;
  std::vector<Replayed> streams;
  for (const Series& one : series) {
    rows = std::max(rows, one.size());
    streams.emplace_back(model, one);
  }
  for (const std::size_t horizon : horizons) {
    HorizonScore score = {.horizon = horizon};
    score.origins = rows - std::max<std::size_t>(options.from, 1) - horizon + 1;
    result.horizons.push_back(score);
  }
  std::vector<float> inputs(series.size() * spec.inputs()), outputs(series.size() * spec.outputs());
  Model::Workspace workspace;
  std::vector<Replayed*> active;
  std::vector<float*> states;
  for (std::size_t t = 0; t < rows; ++t) {
    active.clear();
    states.clear();
    const auto time_of = [&](const Replayed& stream) {
      return stream.series->begin_ns + static_cast<std::int64_t>(t) * spec.interval_ns;
    };
    for (Replayed& stream : streams) {
      if (t >= stream.series->size()) continue;
      const std::span<const float> values(&stream.series->values[t * stream.series->features],
                                          stream.series->features);
      Prepare(model, StreamRef(model, stream.header, stream.floats), time_of(stream), values,
              std::span(inputs).subspan(active.size() * spec.inputs(), spec.inputs()));
      if (!std::isnan(values[spec.target])) stream.last = values[spec.target];
      active.push_back(&stream);
      states.push_back(stream.floats.data());
    }
    model.Step(std::span(inputs).first(active.size() * spec.inputs()), states,
               std::span(outputs).first(active.size() * spec.outputs()), workspace);
    result.steps += active.size();
    for (std::size_t b = 0; b < active.size(); ++b) {
      const std::span<float> forecast = std::span(outputs).subspan(b * spec.outputs(), spec.outputs());
      Finish(model, StreamRef(model, active[b]->header, active[b]->floats), time_of(*active[b]), forecast);
      if (t + 1 >= options.from) Score(spec, *active[b], t, forecast, result.horizons);
    }
    if (progress) progress(t + 1, rows);
  }
  for (HorizonScore& score : result.horizons) {
    const auto n = static_cast<double>(score.scored);
    for (double HorizonScore::*const field :
         {&HorizonScore::mse, &HorizonScore::mae, &HorizonScore::error, &HorizonScore::pinball,
          &HorizonScore::coverage, &HorizonScore::width, &HorizonScore::persistence_mse,
          &HorizonScore::persistence_mae}) {
      score.*field /= n;
    }
  }
  return result;
}

}  // namespace tidegate
