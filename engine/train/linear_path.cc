#include "engine/train/linear_path.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "engine/tensor/gemm.h"

namespace tidegate {
namespace {

constexpr std::size_t kRowsTogether = 1024;
constexpr std::size_t kStepsCompared = 16;  // of the horizon, when choices are made
constexpr double kPenalties[] = {1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1};

float Level(const PreparedSeries& series, std::size_t t, std::size_t target) {
  return series.inputs.row(t)[target];
}

// The last L levels at row t less the last one; before the series its first.
void FillContext(const PreparedSeries& series, std::size_t t, std::size_t target, std::size_t context,
                 float* x) {
  const float last = Level(series, t, target);
  for (std::size_t i = 0; i < context; ++i) {
    const std::size_t back = context - 1 - i;
    x[i] = Level(series, t > back ? t - back : 0, target) - last;
  }
}

// Adds the origins [begin, end) of a series, `stride` rows apart.
void AddOrigins(const PreparedSeries& series, std::size_t begin, std::size_t end, std::size_t stride,
                std::size_t target, RidgeSums& sums) {
  const std::size_t context = sums.inputs() - 1, horizon = sums.outputs();
  Matrix x, y;
  for (std::size_t t = begin; t < end;) {
    const std::size_t count = std::min(kRowsTogether, (end - t + stride - 1) / stride);
    x.Resize(count, context + 1);
    y.Resize(count, horizon);
    for (std::size_t r = 0; r < count; ++r, t += stride) {
      FillContext(series, t, target, context, x.row(r));
      x.row(r)[context] = 1;
      for (std::size_t h = 0; h < horizon; ++h)
        y.row(r)[h] = Level(series, t + 1 + h, target) - Level(series, t, target);
    }
    sums.Add(x, y);
  }
}

std::vector<std::size_t> StepsToCompare(std::size_t horizon) {
  std::vector<std::size_t> steps;
  const std::size_t count = std::min(horizon, kStepsCompared);
  for (std::size_t i = 0; i < count; ++i) steps.push_back((2 * i + 1) * horizon / (2 * count));
  return steps;
}

std::vector<std::size_t> AllSteps(std::size_t horizon) {
  std::vector<std::size_t> steps(horizon);
  for (std::size_t h = 0; h < horizon; ++h) steps[h] = h;
  return steps;
}

RidgeSums Together(const std::vector<RidgeSums>& parts) {
  RidgeSums all(parts[0].inputs(), parts[0].outputs());
  for (const RidgeSums& part : parts) all.Add(part);
  return all;
}

}  // namespace

std::size_t ChannelAt(const PreparedSeries& series, std::size_t row, const ModelSpec& spec) {
  return spec.channels == 0 ? 0 : spec.ChannelOf(series.inputs.row(row)[series.inputs.cols - 1]);
}

LinearSums::LinearSums(const std::vector<PreparedSeries>& data, const ModelSpec& spec, std::size_t context,
                       std::size_t rows)
    : horizon_(spec.horizon),
      training_(std::max<std::size_t>(spec.channels, 1), RidgeSums(context + 1, spec.horizon)),
      validation_(training_) {
  std::size_t all = 0;
  for (const PreparedSeries& series : data) all += series.size();
  const std::size_t stride = 1 + all / rows;
  for (const PreparedSeries& series : data) {
    const std::size_t channel = ChannelAt(series, 0, spec);
    const auto before = [&](std::size_t end) { return end > horizon_ ? end - horizon_ : 0; };
    AddOrigins(series, std::min(context, series.split / 4), before(series.split), stride, spec.target,
               training_[channel]);
    AddOrigins(series, series.split, before(series.size()), stride, spec.target, validation_[channel]);
  }
}

LinearChoice LinearSums::Choose(const std::vector<std::size_t>& contexts, bool scopes) const {
  LinearChoice best;
  const std::vector<std::size_t> steps = StepsToCompare(horizon_);
  double rows = 0;
  for (const RidgeSums& part : validation_) rows += part.rows();
  if (rows == 0) return best;
  const double count = rows * static_cast<double>(steps.size());
  const RidgeSums training = Together(training_), validation = Together(validation_);
  for (const std::size_t context : contexts) {
    const auto part = [&](const RidgeSums& sums) { return sums.Part(context + 1, steps); };
    const RidgeSums shared = part(training), judge = part(validation);
    for (const double penalty : kPenalties) {
      const double error = judge.Error(shared.Solve(penalty)) / count;
      if (error < best.error)
        best = {.context = context, .per_channel = false, .penalty = penalty, .error = error};
    }
    const double still = judge.Error(Matrix(steps.size(), context + 1)) / count;
    if (still < best.error) best = {.context = context, .error = still};
  }
  if (!scopes || training_.size() < 2) return best;
  for (const double penalty : kPenalties) {
    double error = 0;
    for (std::size_t c = 0; c < training_.size(); ++c) {
      const Matrix map = training_[c].Part(best.context + 1, steps).Solve(penalty);
      error += validation_[c].Part(best.context + 1, steps).Error(map) / count;
    }
    if (error < best.error)
      best = {.context = best.context, .per_channel = true, .penalty = penalty, .error = error};
  }
  return best;
}

std::vector<Matrix> LinearSums::Solve(const LinearChoice& choice) const {
  const auto solve = [&](const RidgeSums& sums) {
    if (std::isinf(choice.penalty)) return Matrix(horizon_, choice.context + 1);
    return sums.Part(choice.context + 1, AllSteps(horizon_)).Solve(choice.penalty);
  };
  if (!choice.per_channel) return {solve(Together(training_))};
  std::vector<Matrix> maps;
  for (const RidgeSums& part : training_) maps.push_back(solve(part));
  return maps;
}

LinearPath::LinearPath(const LinearChoice& choice, const std::vector<Matrix>& maps, ModelSpec& spec)
    : target_(spec.target),
      context_(choice.context),
      horizon_(spec.horizon),
      channels_(choice.per_channel ? spec.channels : 0) {
  spec.linear_context = choice.context;
  spec.linear_per_channel = choice.per_channel;
  Tensor weight = ZeroTensor({horizon_, context_}), bias = ZeroTensor({horizon_});
  if (choice.per_channel) {
    weight = ZeroTensor({spec.channels, horizon_, context_});
    bias = ZeroTensor({spec.channels, horizon_});
  }
  for (std::size_t map = 0; map < maps.size(); ++map) {
    for (std::size_t h = 0; h < horizon_; ++h) {
      const float unit = spec.features[target_].deviation / spec.step_deviation[h];
      const std::size_t row = map * horizon_ + h;
      for (std::size_t i = 0; i < context_; ++i)
        weight.values[row * context_ + i] = unit * maps[map].row(h)[i];
      bias.values[row] = unit * maps[map].row(h)[context_];
    }
  }
  tensors_ = {{"linear.weight", std::move(weight)}, {"linear.bias", std::move(bias)}};
}

void LinearPath::Forecast(const std::vector<PreparedSeries>& data, std::span<const Chunk::Origin> origins,
                          Matrix& forecast) const {
  forecast.Resize(origins.size(), horizon_);
  const float* const weight = tensors_.at("linear.weight").values.data();
  const float* const bias = tensors_.at("linear.bias").values.data();
  Matrix x(origins.size(), context_), y;
  for (std::size_t map = 0; map < std::max<std::size_t>(channels_, 1); ++map) {
    std::vector<std::size_t> rows;
    for (std::size_t r = 0; r < origins.size(); ++r) {
      const PreparedSeries& series = data[origins[r].series];
      const float number = series.inputs.row(origins[r].row)[series.inputs.cols - 1];
      const std::size_t own =
          channels_ == 0
              ? 0
              : static_cast<std::size_t>(std::clamp(number, 0.0f, static_cast<float>(channels_ - 1)));
      if (own != map) continue;
      FillContext(series, origins[r].row, target_, context_, x.row(rows.size()));
      rows.push_back(r);
    }
    y.Resize(rows.size(), horizon_);
    Gemm(Transpose::kNo, Transpose::kYes, rows.size(), horizon_, context_, x.data(),
         weight + map * horizon_ * context_, y.data(), false);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      for (std::size_t h = 0; h < horizon_; ++h)
        forecast.row(rows[i])[h] = y.row(i)[h] + bias[map * horizon_ + h];
    }
  }
}

}  // namespace tidegate
