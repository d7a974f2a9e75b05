#include "engine/train/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <limits>
#include <span>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/stream/stream.h"

namespace tidegate {
namespace {

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

// Rows of a series of n that validate: enough for one whole forecast at least.
std::size_t ValidationRows(std::size_t n, double fraction, const ModelSpec& spec) {
  return std::max(spec.horizon + 1,
                  static_cast<std::size_t>(std::llround(static_cast<double>(n) * fraction)));
}

absl::Status CheckSeries(const Series& series, double validation_fraction, const ModelSpec& spec) {
  const std::size_t features = spec.features.size();
  if (series.features != features || series.values.size() % features != 0 ||
      series.scored.size() != series.size()) {
    return absl::InvalidArgumentError(
        absl::StrCat("stream '", series.stream, "': ", series.values.size(), " values of ", series.features,
                     " features and ", series.scored.size(), " marks do not make rows of the model's ",
                     features, " features with a mark each"));
  }
  const auto infinite = std::ranges::find_if(series.values, [](float v) { return std::isinf(v); });
  if (infinite != series.values.end()) {
    const std::size_t at = infinite - series.values.begin();
    return absl::InvalidArgumentError(absl::StrCat("stream '", series.stream, "', row ", at / features,
                                                   ": feature '", spec.features[at % features].name,
                                                   "' is infinite; a missing value is NaN"));
  }
  const std::size_t validation = ValidationRows(series.size(), validation_fraction, spec);
  const std::size_t wanted = spec.warm_up + spec.horizon + 1;
  if (series.size() < validation + wanted) {
    return absl::InvalidArgumentError(absl::StrCat(
        "stream '", series.stream, "': ", series.size(), " readings are too few: training takes ", wanted,
        " (warm-up ", spec.warm_up, ", horizon ", spec.horizon, ") beside ", validation,
        " for validation; add readings, leave the stream out, or lower the warm-up or the horizon"));
  }
  return absl::OkStatus();
}

// Sums for a mean and a deviation.
struct Moments {
  void Add(double v) {
    ++count;
    sum += v;
    squares += v * v;
  }
  double Mean() const { return count == 0 ? 0 : sum / static_cast<double>(count); }
  double RootMeanSquare() const { return count == 0 ? 0 : std::sqrt(squares / static_cast<double>(count)); }
  std::size_t count = 0;
  double sum = 0, squares = 0;
};

// A scale to divide by; what never varies is left as it is.
float ScaleOf(double deviation) { return deviation > 0 ? static_cast<float>(deviation) : 1.0f; }

// The least difference between two different values of the training rows.
float ResolutionOf(const std::vector<Series>& series, const std::vector<PreparedSeries>& data,
                   std::size_t f) {
  std::vector<float> values;
  for (std::size_t s = 0; s < series.size(); ++s) {
    for (std::size_t t = 0; t < data[s].split; ++t) {
      const float value = series[s].values[t * series[s].features + f];
      if (!std::isnan(value)) values.push_back(value);
    }
  }
  std::ranges::sort(values);
  float least = 0;
  for (std::size_t i = 1; i < values.size(); ++i) {
    const float difference = values[i] - values[i - 1];
    if (difference > 0 && (least == 0 || difference < least)) least = difference;
  }
  return least;
}

// Scales of feature f from the scored rows before each split. False: its value never varies.
bool FitFeature(const std::vector<Series>& series, const std::vector<PreparedSeries>& data, std::size_t f,
                Feature& feature) {
  Moments values, differences;
  for (std::size_t s = 0; s < series.size(); ++s) {
    float previous = kMissing;
    for (std::size_t t = 0; t < data[s].split; ++t) {
      const float value = series[s].scored[t] ? series[s].values[t * series[s].features + f] : kMissing;
      if (!std::isnan(value)) values.Add(value);
      if (!std::isnan(value) && !std::isnan(previous)) differences.Add(static_cast<double>(value) - previous);
      previous = value;
    }
  }
  const double mean = values.Mean();
  Moments centred;  // a second pass: squares of large values minus a large mean would cancel
  for (std::size_t s = 0; s < series.size(); ++s) {
    for (std::size_t t = 0; t < data[s].split; ++t) {
      const float value = series[s].values[t * series[s].features + f];
      if (series[s].scored[t] && !std::isnan(value)) centred.Add(value - mean);
    }
  }
  feature.mean = static_cast<float>(mean);
  feature.resolution = ResolutionOf(series, data, f);
  feature.deviation = ScaleOf(centred.RootMeanSquare());
  feature.difference_deviation = ScaleOf(differences.RootMeanSquare());
  return centred.RootMeanSquare() > 0;
}

// targets [n, horizon] in the target's unit, by the scale.
void FillTargets(const Series& series, const ModelSpec& spec, PreparedSeries& prepared) {
  const auto target = [&](std::size_t t) { return series.values[t * series.features + spec.target]; };
  const std::size_t n = series.size();
  prepared.targets = Matrix(n, spec.horizon);
  std::ranges::fill(prepared.targets.values, kMissing);
  float last = kMissing;  // as serving keeps it
  for (std::size_t t = 0; t < n; ++t) {
    if (!std::isnan(target(t))) last = target(t);
    if (!series.scored[t]) continue;
    const std::size_t end = t < prepared.split ? prepared.split : n;
    for (std::size_t k = 1; k <= spec.horizon && t + k < end; ++k) {
      if (!series.scored[t + k] || prepared.scale[t] == 0) continue;
      prepared.targets.row(t)[k - 1] = (target(t + k) - last) / prepared.scale[t];  // NaN where either is
    }
  }
}

// step_deviation from the training rows' targets, and all targets divided by it.
void ScaleTargets(std::vector<PreparedSeries>& data, ModelSpec& spec) {
  for (std::size_t k = 0; k < spec.horizon; ++k) {
    Moments moments;
    for (const PreparedSeries& prepared : data) {
      for (std::size_t t = 0; t < prepared.split; ++t) {
        const float value = prepared.targets.row(t)[k];
        if (!std::isnan(value)) moments.Add(value);
      }
    }
    spec.step_deviation[k] = ScaleOf(moments.RootMeanSquare());
    for (PreparedSeries& prepared : data) {
      for (std::size_t t = 0; t < prepared.targets.rows; ++t)
        prepared.targets.row(t)[k] /= spec.step_deviation[k];
    }
  }
}

void FillInputs(const Series& series, const ModelSpec& spec, PreparedSeries& prepared) {
  prepared.inputs = Matrix(series.size(), spec.inputs());
  prepared.scale.resize(series.size());
  std::vector<float> previous(series.features, kMissing), moments(4 * series.features);
  for (std::size_t t = 0; t < series.size(); ++t) {
    ScaleInputs(spec, {}, 0, std::span(series.values).subspan(t * series.features, series.features), previous,
                moments.data(), std::span(prepared.inputs.row(t), spec.inputs()));
    prepared.scale[t] = OutputScale(spec, moments.data());
  }
}

// Every series has to have something to learn from, and all together a one-step forecast to judge by.
absl::Status CheckTargets(const std::vector<Series>& series, const std::vector<PreparedSeries>& data,
                          const ModelSpec& spec) {
  const std::string& target = spec.features[spec.target].name;
  bool judged = false;
  for (std::size_t s = 0; s < series.size(); ++s) {
    const Matrix& targets = data[s].targets;
    const auto known = [](float v) { return !std::isnan(v); };
    if (std::none_of(targets.row(spec.warm_up), targets.row(data[s].split), known)) {
      return absl::InvalidArgumentError(absl::StrCat("stream '", series[s].stream, "': none of its ",
                                                     data[s].split, " training readings has a value of '",
                                                     target, "' to learn from; leave the stream out"));
    }
    for (std::size_t t = data[s].split; t < targets.rows; ++t) judged = judged || known(targets.row(t)[0]);
  }
  if (judged) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("no validation reading of the ", series.size(),
                                                 " streams is followed by a value of '", target,
                                                 "' to score; validate on a larger fraction"));
}

}  // namespace

absl::StatusOr<std::vector<PreparedSeries>> PrepareSeries(const std::vector<Series>& series,
                                                          double validation_fraction, ModelSpec& spec) {
  if (series.empty()) return absl::InvalidArgumentError("no series to train on: pass at least one stream");
  std::vector<PreparedSeries> data(series.size());
  for (std::size_t s = 0; s < series.size(); ++s) {
    if (absl::Status status = CheckSeries(series[s], validation_fraction, spec); !status.ok()) return status;
    data[s].split = series[s].size() - ValidationRows(series[s].size(), validation_fraction, spec);
  }
  for (std::size_t f = 0; f < spec.features.size(); ++f) {
    if (!FitFeature(series, data, f, spec.features[f]) && f == spec.target) {
      return absl::InvalidArgumentError(absl::StrCat(
          "feature '", spec.features[f].name, "' never varies in the training readings of the ",
          series.size(), " streams (always ", spec.features[f].mean, "): there is nothing to forecast"));
    }
  }
  for (std::size_t s = 0; s < series.size(); ++s) {
    FillInputs(series[s], spec, data[s]);
    FillTargets(series[s], spec, data[s]);
  }
  if (absl::Status status = CheckTargets(series, data, spec); !status.ok()) return status;
  ScaleTargets(data, spec);
  return data;
}

std::vector<Sequence> DrawSequences(const std::vector<PreparedSeries>& data, std::size_t length,
                                    std::size_t warm_up, Random& random) {
  std::vector<Sequence> sequences;
  const std::size_t stride = std::max<std::size_t>(1, length / 4);
  for (std::size_t s = 0; s < data.size(); ++s) {
    const std::size_t rows = std::min(length, data[s].split);
    const std::size_t latest = data[s].split - rows;  // row at which the last sequence can begin
    for (std::size_t begin = random.Below(std::min(stride, latest + 1)); begin <= latest; begin += stride) {
      sequences.push_back({s, begin, begin + warm_up, begin + rows});
    }
  }
  for (std::size_t i = sequences.size(); i > 1; --i) std::swap(sequences[i - 1], sequences[random.Below(i)]);
  return sequences;
}

std::vector<Sequence> ValidationSequences(const std::vector<PreparedSeries>& data) {
  std::vector<Sequence> sequences;
  for (std::size_t s = 0; s < data.size(); ++s)
    sequences.push_back({s, 0, data[s].split, data[s].inputs.rows});
  return sequences;
}

void FillChunk(const std::vector<PreparedSeries>& data, std::span<const Sequence> sequences,
               std::size_t first, std::size_t steps, Chunk& chunk) {
  const std::size_t batch = sequences.size(), inputs = data[0].inputs.cols, horizon = data[0].targets.cols;
  chunk.inputs.Resize(steps * batch, inputs);
  chunk.targets.Resize(steps * batch, horizon);
  chunk.scale.resize(steps * batch);
  for (std::size_t i = 0; i < steps * batch; ++i) {
    const Sequence& sequence = sequences[i % batch];
    const PreparedSeries& series = data[sequence.series];
    const std::size_t row = sequence.begin + first + i / batch;
    if (row < sequence.end) {
      std::copy_n(series.inputs.row(row), inputs, chunk.inputs.row(i));
    } else {
      std::fill_n(chunk.inputs.row(i), inputs, 0.0f);
    }
    chunk.scale[i] = row < sequence.end ? series.scale[row] : 1;
    if (row >= sequence.scored && row < sequence.end) {
      std::copy_n(series.targets.row(row), horizon, chunk.targets.row(i));
    } else {
      std::fill_n(chunk.targets.row(i), horizon, kMissing);
    }
  }
  chunk.known = std::ranges::count_if(chunk.targets.values, [](float v) { return !std::isnan(v); });
}

}  // namespace tidegate
