#include "engine/train/linear_path.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <utility>

#include "engine/tensor/gemm.h"

namespace tidegate {
namespace {

constexpr std::size_t kRowsTogether = 1024;
constexpr std::size_t kStepsCompared = 16;  // of the horizon, when choices are made
constexpr std::size_t kBlocks = 4;
constexpr double kWorthMaps = 0.99;  // of the error of one for all
constexpr double kWorthAMap = 0.99;  // of the error of the last value
constexpr double kWhollyTrusted = 0.1;
constexpr double kAlike = 1.02;     // of the least error: no worse as far as these rows can tell
constexpr double kLastValue = 1e9;  // leaves the last value as it is
constexpr double kPenalties[] = {1e-3, 1e-2, 3e-2, 1e-1, 3e-1, 1, kLastValue};
constexpr double kAge = 168;  // readings; see Dearness

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
  const std::size_t context = sums.inputs(), horizon = sums.outputs();
  Matrix x, y;
  for (std::size_t t = begin; t < end;) {
    const std::size_t count = std::min(kRowsTogether, (end - t + stride - 1) / stride);
    x.Resize(count, context);
    y.Resize(count, horizon);
    for (std::size_t r = 0; r < count; ++r, t += stride) {
      FillContext(series, t, target, context, x.row(r));
      for (std::size_t h = 0; h < horizon; ++h)
        y.row(r)[h] = Level(series, t + 1 + h, target) - Level(series, t, target);
    }
    sums.Add(x, y);
  }
}

// What a weight costs by the age of its reading: old readings tell less, so that a long context does not
// lose to a short one by the noise it adds.
std::vector<double> Dearness(std::size_t context) {
  std::vector<double> dearness(context);
  for (std::size_t i = 0; i < context; ++i) {
    const double age = static_cast<double>(context - 1 - i) / kAge;
    dearness[i] = 1 + age * age;
  }
  return dearness;
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

std::size_t LinearSums::BlocksOf(std::size_t rows, std::size_t horizon) {
  return std::clamp<std::size_t>(rows / (2 * horizon + 1), 2, kBlocks);
}

LinearSums::LinearSums(const std::vector<PreparedSeries>& data, const ModelSpec& spec, std::size_t context,
                       std::size_t rows, Part part)
    : horizon_(spec.horizon) {
  std::size_t all = 0, longest = 0;
  for (const PreparedSeries& series : data) {
    all += series.size();
    longest = std::max(longest, series.size());
  }
  const std::size_t blocks = part == Part::kBlocks ? BlocksOf(longest, horizon_) : 1;
  blocks_.assign(
      blocks, std::vector<RidgeSums>(std::max<std::size_t>(spec.channels, 1), RidgeSums(context, horizon_)));
  const std::size_t stride = 1 + all / rows;
  for (const PreparedSeries& series : data) {
    const std::size_t channel = ChannelAt(series, 0, spec),
                      n = part == Part::kTraining ? series.split : series.size();
    const std::size_t first = std::min(context, n / 4);
    for (std::size_t block = 0; block < blocks; ++block) {
      const std::size_t begin = first + (n - first) * block / blocks;
      const std::size_t end = first + (n - first) * (block + 1) / blocks;
      AddOrigins(series, begin, end > horizon_ ? end - horizon_ : 0, stride, spec.target,
                 blocks_[block][channel]);
    }
  }
}

std::vector<double> LinearSums::Errors(std::size_t context, std::size_t first, std::size_t end) const {
  const std::vector<std::size_t> steps = StepsToCompare(horizon_);
  std::vector<RidgeSums> blocks;
  for (const std::vector<RidgeSums>& block : blocks_) {
    RidgeSums sums(context, steps.size());
    for (std::size_t c = first; c < end; ++c) sums.Add(block[c].Part(context, steps));
    blocks.push_back(std::move(sums));
  }
  const std::vector<double> dearness = Dearness(context);
  std::vector<double> errors(std::size(kPenalties));
  double count = 0;
  for (std::size_t left = 0; left < blocks.size(); ++left) {
    RidgeSums others(context, steps.size());
    for (std::size_t block = 0; block < blocks.size(); ++block) {
      if (block != left) others.Add(blocks[block]);
    }
    count += blocks[left].rows() * static_cast<double>(steps.size());
    for (std::size_t p = 0; p < errors.size(); ++p)
      errors[p] += blocks[left].Error(others.Solve(kPenalties[p], dearness));
  }
  for (double& error : errors) error /= std::max(count, 1.0);
  return errors;
}

double LinearSums::Error(std::size_t context, std::size_t left, double penalty) const {
  return Error({context, false, penalty}, left, 0);
}

double LinearSums::Error(const LinearFit& fit, std::size_t left, std::size_t channel) const {
  const std::vector<std::size_t> steps = StepsToCompare(horizon_);
  const auto part = [&](const std::vector<RidgeSums>& block) {
    return (fit.per_channel ? block[channel] : Together(block)).Part(fit.context, steps);
  };
  RidgeSums others(fit.context, steps.size());
  for (std::size_t block = 0; block < blocks_.size(); ++block) {
    if (block != left) others.Add(part(blocks_[block]));
  }
  const RidgeSums judge = part(blocks_[left]);
  const double count = judge.rows() * static_cast<double>(steps.size());
  return judge.Error(others.Solve(fit.penalty, Dearness(fit.context))) / std::max(count, 1.0);
}

double LinearSums::LastValueError(std::size_t block) const {
  const RidgeSums sums = Together(blocks_[block]).Part(1, StepsToCompare(horizon_));
  const double count = sums.rows() * static_cast<double>(sums.outputs());
  return sums.Error(Matrix(sums.outputs(), 1)) / std::max(count, 1.0);
}

bool LinearSums::Pays(const LinearFit& fit) const {
  const std::size_t maps = fit.per_channel ? blocks_[0].size() : 1;
  const auto blocks = static_cast<double>(blocks_.size());
  double sum = 0, squares = 0;
  for (std::size_t block = 0; block < blocks_.size(); ++block) {
    double error = 0;
    for (std::size_t map = 0; map < maps; ++map) error += Error(fit, block, map) / static_cast<double>(maps);
    const double last = LastValueError(block);
    const double gain = last > 0 ? 1 - error / last : 0;
    sum += gain;
    squares += gain * gain;
  }
  const double mean = sum / blocks;
  const double deviation = std::sqrt(std::max(squares / blocks - mean * mean, 0.0));
  return mean > 2 * deviation / std::sqrt(blocks - 1);
}

double LinearChoice::trust() const {
  const double error = std::ranges::min_element(fits, {}, &LinearFit::error)->error;
  return std::clamp((1 - error / last_value_error) / kWhollyTrusted, 0.0, 1.0);
}

LinearFit LinearSums::BestPenalty(std::size_t context, bool per_channel) const {
  const std::size_t channels = blocks_[0].size(), maps = per_channel ? channels : 1;
  std::vector<double> errors(std::size(kPenalties));
  for (std::size_t map = 0; map < maps; ++map) {
    const std::vector<double> own = Errors(context, map * channels / maps, (map + 1) * channels / maps);
    for (std::size_t p = 0; p < errors.size(); ++p) errors[p] += own[p] / static_cast<double>(maps);
  }
  const std::size_t least = std::ranges::min_element(errors) - errors.begin();
  return {context, per_channel, kPenalties[least], errors[least]};
}

LinearChoice LinearSums::Choose(const std::vector<std::size_t>& contexts, bool scopes) const {
  std::vector<LinearFit> fits;
  fits.reserve(contexts.size());
  for (const std::size_t context : contexts) fits.push_back(BestPenalty(context, false));
  const auto better = [](const LinearFit& a, const LinearFit& b) { return a.error < b.error; };
  LinearFit best = *std::ranges::min_element(fits, better);
  if (scopes && blocks_[0].size() > 1) {
    std::vector<LinearFit> own;
    own.reserve(contexts.size());
    for (const std::size_t context : contexts) own.push_back(BestPenalty(context, true));
    if (std::ranges::min_element(own, better)->error < kWorthMaps * best.error) {
      best = *std::ranges::min_element(own, better);
      fits.insert(fits.end(), own.begin(), own.end());
    }
  }
  LinearChoice choice;
  double rows = 0;
  for (const std::vector<RidgeSums>& block : blocks_) {
    const RidgeSums sums = Together(block).Part(1, StepsToCompare(horizon_));
    choice.last_value_error += sums.Error(Matrix(sums.outputs(), 1));
    rows += sums.rows() * static_cast<double>(sums.outputs());
  }
  choice.last_value_error /= std::max(rows, 1.0);
  if (best.error > kWorthAMap * choice.last_value_error || !Pays(best)) {
    const std::size_t shortest = *std::ranges::min_element(contexts);
    choice.fits = {{shortest, false, kLastValue, choice.last_value_error}};
    return choice;
  }
  for (const LinearFit& fit : fits) {
    if (fit.error <= kAlike * best.error) choice.fits.push_back(fit);
  }
  return choice;
}

Matrix LinearSums::SolveOne(const LinearFit& fit, std::size_t channel) const {
  RidgeSums sums(fit.context, horizon_);
  for (const std::vector<RidgeSums>& block : blocks_) {
    for (std::size_t c = 0; c < block.size(); ++c) {
      if (!fit.per_channel || c == channel) sums.Add(block[c].Part(fit.context, AllSteps(horizon_)));
    }
  }
  return sums.Solve(fit.penalty, Dearness(fit.context));
}

std::vector<Matrix> LinearSums::Solve(const LinearChoice& choice) const {
  std::vector<Matrix> maps(choice.per_channel() ? blocks_[0].size() : 1, Matrix(horizon_, choice.context()));
  const float share = 1 / static_cast<float>(choice.fits.size());
  for (const LinearFit& fit : choice.fits) {
    Matrix solved;
    for (std::size_t map = 0; map < maps.size(); ++map) {
      if (map == 0 || fit.per_channel) solved = SolveOne(fit, map);
      const std::size_t first = choice.context() - fit.context;
      for (std::size_t h = 0; h < horizon_; ++h) {
        for (std::size_t i = 0; i < fit.context; ++i) maps[map].row(h)[first + i] += share * solved.row(h)[i];
      }
    }
  }
  return maps;
}

LinearPath::LinearPath(const LinearChoice& choice, const std::vector<Matrix>& maps, ModelSpec& spec)
    : target_(spec.target),
      context_(choice.context()),
      horizon_(spec.horizon),
      channels_(choice.per_channel() ? spec.channels : 0) {
  spec.linear_context = context_;
  spec.linear_per_channel = choice.per_channel();
  Tensor weight = ZeroTensor({horizon_, context_}), bias = ZeroTensor({horizon_});
  if (choice.per_channel()) {
    weight = ZeroTensor({spec.channels, horizon_, context_});
    bias = ZeroTensor({spec.channels, horizon_});
  }
  for (std::size_t map = 0; map < maps.size(); ++map) {
    for (std::size_t h = 0; h < horizon_; ++h) {
      const float unit = spec.features[target_].deviation / spec.step_deviation[h];
      const std::size_t row = map * horizon_ + h;
      for (std::size_t i = 0; i < context_; ++i)
        weight.values[row * context_ + i] = unit * maps[map].row(h)[i];
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
