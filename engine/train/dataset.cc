#include "engine/train/dataset.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "engine/stream/stream.h"
#include "engine/tensor/nan.h"
#include "engine/train/spread_rows.h"

namespace tidegate {
namespace {

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
  const std::size_t training = TrainingRows(series.size(), validation_fraction, spec.horizon);
  const std::size_t wanted = spec.warm_up + spec.horizon + 1;
  if (training < wanted) {
    return absl::InvalidArgumentError(absl::StrCat(
        "stream '", series.stream, "': ", series.size(), " readings are too few: training takes ", wanted,
        " (warm-up ", spec.warm_up, ", horizon ", spec.horizon, ") beside ",
        std::max(series.size() - training, spec.horizon + 1),
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
float ResolutionOf(const std::vector<const Series*>& series, const std::vector<std::size_t>& splits,
                   std::size_t f) {
  std::vector<float> values;
  for (std::size_t s = 0; s < series.size(); ++s) {
    for (std::size_t t = 0; t < splits[s]; ++t) {
      const float value = series[s]->values[t * series[s]->features + f];
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

// Whether any scored row before the split has a value of feature f.
bool HasValue(const Series& series, std::size_t split, std::size_t f) {
  for (std::size_t t = 0; t < split; ++t) {
    if (series.scored[t] && !std::isnan(series.values[t * series.features + f])) return true;
  }
  return false;
}

// Scales of feature f from the scored rows before each split. False: its value never varies.
bool FitFeature(const std::vector<const Series*>& series, const std::vector<std::size_t>& splits,
                std::size_t f, Feature& feature) {
  Moments values, differences;
  for (std::size_t s = 0; s < series.size(); ++s) {
    float previous = kNaN;
    for (std::size_t t = 0; t < splits[s]; ++t) {
      const float value = series[s]->scored[t] ? series[s]->values[t * series[s]->features + f] : kNaN;
      if (!series[s]->scored[t]) previous = kNaN;
      if (std::isnan(value)) continue;  // the next known one is held against the last, as in ScaleInputs
      values.Add(value);
      if (!std::isnan(previous)) differences.Add(static_cast<double>(value) - previous);
      previous = value;
    }
  }
  const double mean = values.Mean();
  Moments centred;  // a second pass: squares of large values minus a large mean would cancel
  for (std::size_t s = 0; s < series.size(); ++s) {
    for (std::size_t t = 0; t < splits[s]; ++t) {
      const float value = series[s]->values[t * series[s]->features + f];
      if (series[s]->scored[t] && !std::isnan(value)) centred.Add(value - mean);
    }
  }
  feature.mean = static_cast<float>(mean);
  feature.resolution = ResolutionOf(series, splits, f);
  feature.deviation = ScaleOf(centred.RootMeanSquare());
  feature.difference_deviation = ScaleOf(differences.RootMeanSquare());
  return centred.RootMeanSquare() > 0;
}

// The target as PreparedSeries has it.
void FillTargets(const Series& series, const ModelSpec& spec, PreparedSeries& prepared) {
  const std::size_t n = series.size();
  prepared.values.assign(n, kNaN);
  for (std::size_t t = 0; t < n; ++t) {
    const bool known = !std::isnan(series.values[t * series.features + spec.target]);
    if (series.scored[t] && known) prepared.values[t] = prepared.origin[t];  // the last known one is this one
    if (!series.scored[t] || prepared.scale[t] == 0) prepared.origin[t] = kNaN;
  }
}

// In a scale of its own a stream that begins to move, or to move more, is far away for some rows: they are
// not to set what all others are measured by.
void LimitFew(std::vector<float>& values) {
  constexpr float kFar = 10;  // times the median size
  if (values.empty()) return;
  std::vector<float> sizes(values.size());
  std::ranges::transform(values, sizes.begin(), [](float v) { return std::abs(v); });
  const auto middle = sizes.begin() + static_cast<std::ptrdiff_t>(sizes.size() / 2);
  std::nth_element(sizes.begin(), middle, sizes.end());
  if (*middle == 0) return;
  for (float& value : values) value = std::clamp(value, -kFar * *middle, kFar * *middle);
}

// step_deviation from the training rows' targets behind the warm-up, in which a stream's own scale is not
// known yet; of long series from evenly spread ones.
void FitStepDeviation(const std::vector<PreparedSeries>& data, ModelSpec& spec) {
  constexpr std::size_t kEnough = 50'000;  // origins
  std::size_t rows = 0;
  for (const PreparedSeries& prepared : data) rows += prepared.split;
  const std::size_t stride = 1 + rows / kEnough;
  const std::size_t first = std::max(spec.warm_up, std::size_t{spec.per_stream ? 2u : 0u});
  std::vector<float> values;
  for (std::size_t h = 1; h <= spec.horizon; ++h) {
    values.clear();
    for (const PreparedSeries& prepared : data) {
      for (std::size_t t = first; t < prepared.split; t += stride) {
        const float value = prepared.Ahead(t, h);
        if (!std::isnan(value)) values.push_back(value);
      }
    }
    if (spec.per_stream) LimitFew(values);
    Moments moments;
    for (const float value : values) moments.Add(value);
    spec.step_deviation[h - 1] = ScaleOf(moments.RootMeanSquare());
  }
}

void FillInputs(const Series& series, const ModelSpec& spec, std::span<const float> cycle,
                PreparedSeries& prepared) {
  const std::size_t n = series.size();
  prepared.inputs = Matrix(n, spec.inputs());
  prepared.scale.resize(n);
  prepared.origin.resize(n);
  std::vector<float> previous(series.features, kNaN), moments(4 * series.features);
  for (std::size_t t = 0; t < n; ++t) {
    ScaleInputs(spec, cycle, series.TimeOf(t, spec.interval_ns),
                std::span(series.values).subspan(t * series.features, series.features), previous,
                moments.data(), std::span(prepared.inputs.row(t), spec.inputs()));
    prepared.scale[t] = OutputScale(spec, previous.data(), moments.data());
    prepared.origin[t] = previous[spec.target];
  }
}

// Until a stream moves for the first time, what it does next is millions of deviations in its own scale. Such
// rows get scale 0: nothing is forecast from there.
void LeaveOutStillRows(const std::vector<Series>& series, std::vector<PreparedSeries>& data) {
  constexpr float kStill = 1e-3f;  // of the scale that three quarters of a stream's training rows stay below
  std::map<std::string, std::vector<float>> scales;  // of all its pieces
  for (std::size_t s = 0; s < data.size(); ++s) {
    std::vector<float>& own = scales[series[s].stream];
    own.insert(own.end(), data[s].scale.begin(), data[s].scale.begin() + data[s].split);
  }
  for (auto& [stream, own] : scales) {
    const auto high = own.begin() + static_cast<std::ptrdiff_t>(own.size() * 3 / 4);
    std::nth_element(own.begin(), high, own.end());
    own = {*high};
  }
  for (std::size_t s = 0; s < data.size(); ++s) {
    std::vector<float>& scale = data[s].scale;
    const float least = kStill * scales[series[s].stream].front();
    std::fill(scale.begin(), std::ranges::find_if(scale, [least](float v) { return v >= least; }), 0.0f);
  }
}

// Every series that does not stand still has to have something to learn from, and all together a one-step
// forecast to judge by.
absl::Status CheckTargets(const std::vector<Series>& series, const std::vector<PreparedSeries>& data,
                          const ModelSpec& spec) {
  const std::string& target = spec.features[spec.target].name;
  bool judged = false, any = false;
  for (std::size_t s = 0; s < series.size(); ++s) {
    const auto known = [&](std::size_t t, std::size_t h) { return !std::isnan(data[s].Ahead(t, h)); };
    bool learns = false;
    for (std::size_t t = spec.warm_up; t < data[s].split && !learns; ++t) {
      for (std::size_t h = 1; h <= spec.horizon && !learns; ++h) learns = known(t, h);
    }
    const bool still = std::all_of(data[s].scale.begin(), data[s].scale.begin() + data[s].split,
                                   [](float scale) { return scale == 0; });
    any |= learns;
    if (!learns && (!still || (!any && s + 1 == series.size()))) {
      return absl::InvalidArgumentError(absl::StrCat("stream '", series[s].stream, "': none of its ",
                                                     data[s].split, " training readings has a value of '",
                                                     target, "' to learn from; leave the stream out"));
    }
    for (std::size_t t = data[s].split; t < data[s].size() && !judged; ++t) judged = known(t, 1);
  }
  if (judged) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat("no validation reading of the ", series.size(),
                                                 " streams is followed by a value of '", target,
                                                 "' to score; validate on a larger fraction"));
}

// The channel of a series: the first number that its readings have.
std::size_t ChannelOf(const Series& series, const ModelSpec& spec) {
  for (std::size_t t = 0; t < series.size(); ++t) {
    const float number = series.values[(t + 1) * series.features - 1];
    if (!std::isnan(number)) return spec.ChannelOf(number);
  }
  return 0;
}

// With scales of the channels the target's own is 1, so that step_deviation is in the channels' deviations.
void FitChannels(const std::vector<Series>& series, const std::vector<std::size_t>& splits, ModelSpec& spec) {
  Feature& target = spec.features[spec.target];
  for (std::size_t c = 0; c < spec.channels; ++c) {
    std::vector<const Series*> own;
    std::vector<std::size_t> own_splits;
    for (std::size_t s = 0; s < series.size(); ++s) {
      if (ChannelOf(series[s], spec) != c) continue;
      own.push_back(&series[s]);
      own_splits.push_back(splits[s]);
    }
    FitFeature(own, own_splits, spec.target, spec.channel_scales[c]);
  }
  target = {.name = target.name, .resolution = target.resolution};
}

void Shuffle(std::vector<Sequence>& sequences, Random& random) {
  for (std::size_t i = sequences.size(); i > 1; --i) std::swap(sequences[i - 1], sequences[random.Below(i)]);
}

}  // namespace

std::size_t TrainingRows(std::size_t n, double validation_fraction, std::size_t horizon) {
  const auto share = static_cast<std::size_t>(std::llround(static_cast<double>(n) * validation_fraction));
  return n - std::min(n, std::max(horizon + 1, share));
}

bool CanLearn(const Series& series, std::size_t target, std::size_t warm_up, std::size_t end,
              std::size_t horizon) {
  bool known = false, any = false;
  std::size_t origin = 0;  // the last one
  for (std::size_t t = 0; t < end; ++t) {
    const bool value = !std::isnan(series.values[t * series.features + target]);
    if (any && value && series.scored[t] && t - origin <= horizon) return true;
    known |= value;
    if (t < warm_up || !known || !series.scored[t]) continue;
    any = true;
    origin = t;
  }
  return false;
}

absl::StatusOr<std::vector<std::size_t>> FitScales(const std::vector<Series>& series,
                                                   double validation_fraction, ModelSpec& spec) {
  if (series.empty()) return absl::InvalidArgumentError("no series to train on: pass at least one stream");
  std::vector<std::size_t> splits;
  std::vector<const Series*> all;
  for (const Series& one : series) {
    if (absl::Status status = CheckSeries(one, validation_fraction, spec); !status.ok()) return status;
    splits.push_back(TrainingRows(one.size(), validation_fraction, spec.horizon));
    all.push_back(&one);
  }
  if (const std::size_t longest = *std::ranges::max_element(splits);
      longest <= spec.window && spec.window > 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("the window is ", spec.window, " readings, and no stream has more than ", longest,
                     " to learn from: shorten the window, or pass more readings"));
  }
  for (std::size_t f = 0; f < spec.features.size(); ++f) {
    if (!FitFeature(all, splits, f, spec.features[f]) && f == spec.target) {
      bool any = false;
      for (std::size_t s = 0; s < all.size(); ++s) any |= HasValue(*all[s], splits[s], f);
      return absl::InvalidArgumentError(
          absl::StrCat("feature '", spec.features[f].name, any ? "' never varies" : "' has no values",
                       " in the training readings of the ", series.size(), " streams",
                       any ? absl::StrCat(" (always ", spec.features[f].mean, ")") : "",
                       ": there is nothing to forecast"));
    }
  }
  if (!spec.channel_scales.empty()) FitChannels(series, splits, spec);
  return splits;
}

absl::StatusOr<std::vector<PreparedSeries>> PrepareSeries(const std::vector<Series>& series,
                                                          const std::vector<std::size_t>& splits,
                                                          std::span<const float> cycle, ModelSpec& spec) {
  std::vector<PreparedSeries> data(series.size());
  for (std::size_t s = 0; s < series.size(); ++s) {
    data[s].split = splits[s];
    FillInputs(series[s], spec, cycle, data[s]);
  }
  if (spec.per_stream) LeaveOutStillRows(series, data);
  for (std::size_t s = 0; s < series.size(); ++s) FillTargets(series[s], spec, data[s]);
  if (absl::Status status = CheckTargets(series, data, spec); !status.ok()) return status;
  FitStepDeviation(data, spec);
  return data;
}

std::vector<Sequence> DrawSequences(const std::vector<PreparedSeries>& data, std::size_t length,
                                    std::size_t spacing, std::size_t warm_up, Random& random) {
  std::vector<Sequence> sequences;
  for (std::size_t s = 0; s < data.size(); ++s) {
    const std::size_t rows = std::min(length, data[s].split);
    const std::size_t latest = data[s].split - rows;  // row at which the last sequence can begin
    for (std::size_t place = 0; place <= latest; place += spacing) {
      const std::size_t begin = place + random.Below(std::min(spacing, latest - place + 1));
      sequences.push_back({s, begin, begin + warm_up, begin + rows});
    }
  }
  Shuffle(sequences, random);
  return sequences;
}

std::vector<Sequence> DrawWindows(const std::vector<PreparedSeries>& data, std::size_t window,
                                  std::size_t spacing, Random& random) {
  std::vector<Sequence> sequences;
  for (std::size_t s = 0; s < data.size(); ++s) {
    if (data[s].split <= window) continue;
    const std::size_t first = random.Below(std::min(spacing, data[s].split - window));
    for (std::size_t end = window + first; end < data[s].split; end += spacing)
      sequences.push_back({s, end - window, end - 1, end});
  }
  Shuffle(sequences, random);
  return sequences;
}

std::vector<Sequence> ValidationWindows(const std::vector<PreparedSeries>& data, std::size_t window,
                                        std::size_t most) {
  std::size_t rows = 0;
  for (const PreparedSeries& series : data) rows += series.size() - series.split;
  const std::size_t spacing = (rows + most - 1) / most;
  std::vector<Sequence> sequences;
  for (std::size_t s = 0; s < data.size(); ++s) {
    const SpreadRows ends(std::max(data[s].split, window - 1), data[s].size(), spacing, s);
    for (std::size_t k = 0; k < ends.size(); ++k)
      sequences.push_back({s, ends[k] + 1 - window, ends[k], ends[k] + 1});
  }
  return sequences;
}

std::vector<Sequence> ValidationSequences(const std::vector<PreparedSeries>& data, std::size_t phases,
                                          std::size_t before) {
  constexpr std::size_t kLong = 16'384, kPart = 4'096, kMostParts = 64;  // rows, and parts of all series
  const auto is_long = [](const PreparedSeries& one) { return one.size() - one.split > kLong; };
  const auto count = static_cast<std::size_t>(std::ranges::count_if(data, is_long));
  std::vector<Sequence> sequences;
  for (std::size_t s = 0; s < data.size(); ++s) {
    const std::size_t split = data[s].split, rows = data[s].size() - split;
    const std::size_t run_in = phases == 1 && data[s].size() <= kLong ? split : before;
    const std::size_t parts = is_long(data[s]) ? rows / kPart : 1;
    const std::size_t taken =
        std::min(parts, std::max<std::size_t>(1, kMostParts / std::max(count, std::size_t{1})));
    for (std::size_t i = 0; i < taken; ++i) {
      const std::size_t part = i * parts / taken + s * (parts / taken) / data.size();  // not of all the same
      const std::size_t begin = split + part * kPart;
      const std::size_t end = part + 1 < parts ? begin + kPart : data[s].size();
      const std::size_t first = begin - std::min(run_in, begin);
      for (std::size_t row = first; row < std::min(first + phases, begin); ++row)
        sequences.push_back({s, row, begin, end});
    }
  }
  return sequences;
}

void FillChunk(const std::vector<PreparedSeries>& data, std::span<const Sequence> sequences,
               std::span<const float> step_deviation, std::size_t first, std::size_t steps, std::size_t every,
               Chunk& chunk) {
  const std::size_t batch = sequences.size(), inputs = data[0].inputs.cols, horizon = step_deviation.size();
  chunk.inputs.Resize(steps * batch, inputs);
  for (std::size_t i = 0; i < steps * batch; ++i) {
    const Sequence& sequence = sequences[i % batch];
    const PreparedSeries& series = data[sequence.series];
    const std::size_t row = sequence.begin + first + i / batch;
    std::copy_n(series.inputs.row(std::min(row, sequence.end - 1)), inputs, chunk.inputs.row(i));
  }
  chunk.targets.Resize(steps / every * batch, horizon);
  chunk.origins.resize(chunk.targets.rows);
  chunk.known = 0;
  for (std::size_t i = 0; i < chunk.targets.rows; ++i) {
    const Sequence& sequence = sequences[i % batch];
    const std::size_t row = sequence.begin + first + (i / batch + 1) * every - 1;
    chunk.origins[i] = {sequence.series, std::min(row, sequence.end - 1)};
    const bool scored = row >= sequence.scored && row < sequence.end;
    for (std::size_t h = 0; h < horizon; ++h) {
      float& target = chunk.targets.row(i)[h];
      target = scored ? data[sequence.series].Ahead(row, h + 1) / step_deviation[h] : kNaN;
      chunk.known += std::isnan(target) ? 0 : 1;
    }
  }
}

void Amplify(std::span<const Sequence> sequences, std::size_t columns, Chunk& chunk) {
  const std::size_t batch = sequences.size();
  for (std::size_t i = 0; i < chunk.inputs.rows; ++i) {
    for (std::size_t c = 0; c < columns; ++c) chunk.inputs.row(i)[c] *= sequences[i % batch].scale;
  }
  for (std::size_t i = 0; i < chunk.targets.rows; ++i) {
    for (std::size_t h = 0; h < chunk.targets.cols; ++h)
      chunk.targets.row(i)[h] *= sequences[i % batch].scale;
  }
}

}  // namespace tidegate
