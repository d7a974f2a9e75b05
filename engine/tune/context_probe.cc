#include "engine/tune/context_probe.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>

#include "engine/tensor/matrix.h"
#include "engine/train/ridge.h"

namespace tidegate {
namespace {

constexpr std::size_t kBlocks = 4, kMostSteps = 8, kMostRows = 20'000, kRowsTogether = 1'024;
constexpr double kPenalties[] = {1e-3, 1e-2, 1e-1, 1};          // beside inputs of about unit variance
constexpr double kAlike = 1.01;                                 // of the least error
constexpr double kWorthALevel = 1.01;                           // how much better than without it
constexpr double kLeastGain = 0.02;                             // explained, before it is asked by what
constexpr std::array<double, 4> kSmoothings = {2, 8, 32, 128};  // readings
constexpr std::size_t kSmoothInputs = kSmoothings.size() + 2;
constexpr std::size_t kLocalInputs = kLocalReadings - 2 + kSmoothInputs;

// A few jumps, as of a fault or an event, would be most of all squares; what is so rare is not the memory.
constexpr float kMostMove = 6;  // of the mean absolute one
float Clipped(float moves) { return std::clamp(moves, -kMostMove, kMostMove); }

// A series in the mean of its absolute differences.
struct Steps {
  std::vector<float> above;       // [n] the value less the mean of all so far, its unit
  std::vector<float> level;       // [n] the last known value
  std::vector<float> difference;  // [n] level less the one before
  std::array<std::vector<float>, kSmoothings.size()> smoothed;  // [n] a running mean less the level
};

Steps StepsOf(const Series& series) {
  const std::size_t n = series.size();
  Steps steps;
  const auto known = std::ranges::find_if(series.values, [](float v) { return !std::isnan(v); });
  float last = known == series.values.end() ? 0 : *known;
  steps.level.reserve(n);
  for (const float value : series.values) steps.level.push_back(last = std::isnan(value) ? last : value);
  double moved = 0;
  for (std::size_t t = 1; t < n; ++t) moved += std::abs(steps.level[t] - steps.level[t - 1]);
  const auto unit = static_cast<float>(moved > 0 ? static_cast<double>(n - 1) / moved : 0.0);
  steps.above.reserve(n);
  double sum = 0;
  for (const float level : steps.level) {
    sum += level;
    steps.above.push_back(static_cast<float>(level - sum / static_cast<double>(steps.above.size() + 1)));
  }
  for (float& level : steps.level) level *= unit;
  steps.difference.assign(n, 0);
  for (std::size_t t = 1; t < n; ++t) steps.difference[t] = Clipped(steps.level[t] - steps.level[t - 1]);
  for (std::size_t i = 0; i < kSmoothings.size(); ++i) {
    double mean = steps.level.front();
    steps.smoothed[i].reserve(n);
    for (const float level : steps.level) {
      mean += (level - mean) / kSmoothings[i];
      // Of a random walk it is off by about the root of its length.
      steps.smoothed[i].push_back(Clipped(static_cast<float>((mean - level) / std::sqrt(kSmoothings[i]))));
    }
  }
  return steps;
}

// The differences before row t, oldest first, then the smooth memory, the level last [kLocalInputs].
void FillLocal(const Steps& steps, std::size_t t, float* x) {
  for (std::size_t back = kLocalReadings - 2; back > 0; --back) *x++ = steps.difference[t - back];
  for (const std::vector<float>& smoothed : steps.smoothed) *x++ = smoothed[t];
  *x++ = steps.difference[t];
  *x = steps.above[t];
}

// What the series moves in so many steps.
std::vector<std::size_t> StepsAhead(std::size_t horizon) {
  const std::size_t count = std::min(horizon, kMostSteps);
  std::vector<std::size_t> ahead(count);
  for (std::size_t i = 0; i < count; ++i) ahead[i] = (i + 1) * horizon / count;
  return ahead;
}

class Probe {
 public:
  Probe(const std::vector<Series>& series, std::size_t context, std::size_t horizon)
      : context_(context), ahead_(StepsAhead(horizon)), unit_(ahead_.size()) {
    std::size_t rows = 0;
    for (const Series& one : series) {
      if (one.size() < ReadingsToProbe(kShortestContext, horizon)) continue;
      steps_.push_back(StepsOf(one));
      rows += one.size();
    }
    stride_ = 1 + rows / kMostRows;
    FitUnits();
    moves_.assign(kBlocks, RidgeSums(context - 1, ahead_.size()));
    levels_.assign(kBlocks, RidgeSums(context, ahead_.size()));
    local_.assign(kBlocks, RidgeSums(kLocalInputs, ahead_.size()));
    for (const Steps& one : steps_) {
      for (std::size_t block = 0; block < kBlocks; ++block) AddRows(one, block);
    }
  }

  double Error(std::size_t context) const { return Error(moves_, context - 1); }
  double ErrorWithLevel(std::size_t context) const { return Error(levels_, context); }
  double LocalError() const { return Error(local_, kLocalInputs); }
  double SmoothError() const { return Error(local_, kSmoothInputs); }
  double LastValueError() const {
    double error = 0;
    for (const RidgeSums& block : moves_) error += block.Error(Matrix(ahead_.size(), context_ - 1));
    return error;
  }

 private:
  // Rows of a block whose inputs lie in the series and whose targets in the block. A series that is short of
  // the context gives its later rows, before whose first reading nothing moves.
  struct Rows {
    std::size_t begin, end;
  };
  Rows RowsOf(const Steps& steps, std::size_t block) const {
    const std::size_t n = steps.level.size(), first = std::max(std::min(context_, n / 4), kLocalReadings);
    const std::size_t end = first + (n - first) * (block + 1) / kBlocks;
    return {first + (n - first) * block / kBlocks, end - std::min(end, ahead_.back())};
  }

  // Each step ahead in the mean of what it moves, so that all count alike.
  void FitUnits() {
    std::vector<double> moved(ahead_.size());
    double rows = 0;
    for (const Steps& steps : steps_) {
      for (std::size_t t = 0; t + ahead_.back() < steps.level.size(); t += stride_, ++rows) {
        for (std::size_t h = 0; h < ahead_.size(); ++h)
          moved[h] += std::abs(steps.level[t + ahead_[h]] - steps.level[t]);
      }
    }
    for (std::size_t h = 0; h < ahead_.size(); ++h)
      unit_[h] = static_cast<float>(moved[h] > 0 ? rows / moved[h] : 0.0);
  }

  void AddRows(const Steps& steps, std::size_t block) {
    const auto [begin, end] = RowsOf(steps, block);
    Matrix moves, levels, local, y;
    for (std::size_t t = begin; t < end;) {
      const std::size_t count = std::min(kRowsTogether, (end - t + stride_ - 1) / stride_);
      moves.Resize(count, context_ - 1);
      levels.Resize(count, context_);
      local.Resize(count, kLocalInputs);
      y.Resize(count, ahead_.size());
      for (std::size_t r = 0; r < count; ++r, t += stride_) {
        for (std::size_t i = 0; i + 1 < context_; ++i) {
          const std::size_t back = context_ - 2 - i;
          moves.row(r)[i] = levels.row(r)[i] = t >= back ? steps.difference[t - back] : 0;
        }
        levels.row(r)[context_ - 1] = steps.above[t];
        FillLocal(steps, t, local.row(r));
        for (std::size_t h = 0; h < ahead_.size(); ++h)
          y.row(r)[h] = Clipped((steps.level[t + ahead_[h]] - steps.level[t]) * unit_[h]);
      }
      moves_[block].Add(moves, y);
      levels_[block].Add(levels, y);
      local_[block].Add(local, y);
    }
  }

  // Squared, with the last `inputs` inputs and the best penalty, summed over blocks left out of the fit.
  double Error(const std::vector<RidgeSums>& blocks, std::size_t inputs) const {
    std::vector<std::size_t> outputs(ahead_.size());
    std::iota(outputs.begin(), outputs.end(), 0);
    std::vector<RidgeSums> parts;
    parts.reserve(blocks.size());
    for (const RidgeSums& block : blocks) parts.push_back(block.Part(inputs, outputs));
    std::vector<double> errors(std::size(kPenalties));
    for (std::size_t left = 0; left < parts.size(); ++left) {
      RidgeSums others(inputs, outputs.size());
      for (std::size_t block = 0; block < parts.size(); ++block) {
        if (block != left) others.Add(parts[block]);
      }
      for (std::size_t p = 0; p < errors.size(); ++p)
        errors[p] += parts[left].Error(others.Solve(kPenalties[p]));
    }
    return *std::ranges::min_element(errors);
  }

  std::size_t context_;
  std::vector<std::size_t> ahead_;
  std::vector<float> unit_;  // [ahead]
  std::size_t stride_ = 1;
  std::vector<Steps> steps_;
  std::vector<RidgeSums> moves_;   // inputs: the last context - 1 differences, oldest first
  std::vector<RidgeSums> levels_;  // inputs: the same, then the level
  std::vector<RidgeSums> local_;   // inputs: FillLocal's
};

}  // namespace

ContextProbe ProbeContext(const std::vector<Series>& series, std::size_t horizon) {
  const std::size_t longest = std::ranges::max_element(series, {}, &Series::size)->size();
  std::vector<std::size_t> contexts;
  for (std::size_t context = kShortestContext;
       context <= kLongestContext && ReadingsToProbe(context, horizon) <= longest; context *= 2)
    contexts.push_back(context);
  const Probe probe(series, contexts.back(), horizon);
  std::vector<double> errors, level_errors;
  for (const std::size_t context : contexts) {
    errors.push_back(probe.Error(context));
    level_errors.push_back(probe.ErrorWithLevel(context));
  }
  ContextProbe result = {.longest = contexts.back()};
  result.level = kWorthALevel * std::ranges::min(level_errors) <= std::ranges::min(errors);
  if (result.level) errors = level_errors;
  const double last_value = std::max(probe.LastValueError(), std::numeric_limits<double>::min());
  const double least = std::ranges::min(errors);
  const auto fewest = std::ranges::find_if(errors, [&](double error) { return error <= kAlike * least; });
  result.context = contexts[static_cast<std::size_t>(fewest - errors.begin())];
  result.gain = std::clamp(1 - least / last_value, 0.0, 1.0);
  const double together = 1 - probe.LocalError() / last_value;
  const double smooth = std::max(1 - probe.SmoothError() / last_value, 0.0);
  if (together > kLeastGain) result.local_pattern = std::clamp((together - smooth) / together, 0.0, 1.0);
  return result;
}

}  // namespace tidegate
