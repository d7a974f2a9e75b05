#include "engine/train/stacking.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <numeric>
#include <optional>

#include "engine/train/linear_robust.h"
#include "engine/train/seasonal_maps.h"

namespace tidegate {
namespace {

constexpr int kRounds = 300, kLastRounds = 150;  // of which the mean is kept
constexpr double kRate = 0.5;                    // of the first rounds
constexpr double kRegressionsFirst = 0.5;        // of the weight, to begin with
constexpr double kShares[] = {0, 0.25, 0.5, 0.75, 1};

// Forecasts of a block's rows, of one channel and part of the horizon, and what came.
struct Sample {
  std::vector<std::vector<float>> forecasts;  // [maps][rows]; the last map is the regression's
  std::vector<float> outcomes;                // [rows]
};

// [parts][channels][blocks]
using Samples = std::vector<std::vector<std::vector<Sample>>>;

// SeasonalMaps in these steps, one below the other, with `context` columns. [maps * steps, context]
Matrix SimpleMaps(const LinearChoice& choice, std::size_t context, const std::vector<std::size_t>& periods,
                  const std::vector<std::size_t>& steps) {
  const std::vector<Matrix> maps = SeasonalMaps(choice.stacked_context, choice.parts.back().end, periods);
  Matrix simple(maps.size() * steps.size(), context);
  for (std::size_t i = 0; i < simple.rows; ++i) {
    std::copy_n(maps[i / steps.size()].row(steps[i % steps.size()]), choice.stacked_context,
                simple.row(i) + context - choice.stacked_context);
  }
  return simple;
}

// The regression is fitted without the block whose rows it forecasts.
Samples Forecasts(const LinearRows& rows, const LinearSums& sums, const Matrix& simple,
                  const StepsToCompare& compared, const LinearChoice& choice) {
  const std::size_t steps = compared.steps.size(), simple_maps = simple.rows / steps;
  Samples samples(
      choice.parts.size(),
      std::vector(rows.maps(), std::vector<Sample>(rows.blocks(),
                                                   {std::vector<std::vector<float>>(simple_maps + 1), {}})));
  Matrix simply, fitted;
  for (std::size_t block = 0; block < rows.blocks(); ++block) {
    std::vector<Matrix> maps = sums.Solve(choice, compared.steps, block);
    MakeRobust(rows, choice, compared.steps, maps, block);
    rows.ForEach(block, compared.steps, [&](std::size_t channel, const Matrix& x, const Matrix& y) {
      ForecastRows(simple, x, simply);
      ForecastRows(maps[MapOf(channel, maps)], x, fitted);
      for (std::size_t part = 0; part < samples.size(); ++part) {
        Sample& sample = samples[part][channel][block];
        for (std::size_t r = 0; r < x.rows; ++r) {
          for (std::size_t s = compared.begin[part]; s < compared.begin[part + 1]; ++s) {
            for (std::size_t map = 0; map < simple_maps; ++map)
              sample.forecasts[map].push_back(simply.row(r)[map * steps + s]);
            sample.forecasts[simple_maps].push_back(fitted.row(r)[s]);
            sample.outcomes.push_back(y.row(r)[s]);
          }
        }
      }
    });
  }
  return samples;
}

// error [rows]: of the weighted mean of a sample's forecasts.
void FillErrors(const Sample& sample, const std::vector<float>& weights, std::vector<float>& error) {
  error.resize(sample.outcomes.size());
  for (std::size_t r = 0; r < error.size(); ++r) error[r] = -sample.outcomes[r];
  for (std::size_t map = 0; map < weights.size(); ++map) {
    const float weight = weights[map], *const forecast = sample.forecasts[map].data();
    for (std::size_t r = 0; r < error.size(); ++r) error[r] += weight * forecast[r];
  }
}

double SumOfSizes(const std::vector<float>& errors) {
  return std::accumulate(errors.begin(), errors.end(), 0.0,
                         [](double sum, float error) { return sum + std::abs(error); });
}

std::vector<float> FirstWeights(std::size_t maps) {
  std::vector<float> weights(maps,
                             static_cast<float>((1 - kRegressionsFirst) / static_cast<double>(maps - 1)));
  weights.back() = kRegressionsFirst;
  return weights;
}

// The weights [maps] of a channel on the rows of all blocks but one.
std::vector<float> Weights(const std::vector<Sample>& samples, std::optional<std::size_t> left = {}) {
  const std::size_t maps = samples[0].forecasts.size();
  std::vector<float> weights = FirstWeights(maps), error;
  std::vector<double> mean(maps), slope(maps);
  double scale = 0;
  const auto for_each = [&](const auto& each) {
    for (std::size_t block = 0; block < samples.size(); ++block) {
      if (block == left) continue;
      FillErrors(samples[block], weights, error);
      each(samples[block]);
    }
  };
  for_each([&](const Sample&) { scale += SumOfSizes(error); });
  if (!(scale > 0)) {  // nothing is known of this channel
    std::ranges::fill(weights, 0.0f);
    weights.back() = 1;
    return weights;
  }
  for (int round = 0; round < kRounds; ++round) {
    std::ranges::fill(slope, 0);
    for_each([&](const Sample& sample) {
      for (std::size_t map = 0; map < maps; ++map) {
        const float* const forecast = sample.forecasts[map].data();
        float sum = 0;
#pragma omp simd reduction(+ : sum)
        for (std::size_t r = 0; r < error.size(); ++r) sum += error[r] > 0 ? forecast[r] : -forecast[r];
        slope[map] += sum;
      }
    });
    const double rate = kRate / std::sqrt(1 + round / 10.0) / scale;
    double total = 0;
    for (std::size_t map = 0; map < maps; ++map) {
      weights[map] *= static_cast<float>(std::exp(-rate * (slope[map] - slope[maps - 1])));
      total += weights[map];
    }
    for (std::size_t map = 0; map < maps; ++map) {
      weights[map] = static_cast<float>(weights[map] / total);
      if (round >= kRounds - kLastRounds) mean[map] += weights[map];
    }
  }
  for (std::size_t map = 0; map < maps; ++map) weights[map] = static_cast<float>(mean[map] / kLastRounds);
  return weights;
}

// What each share errs on rows of one channel: sums. [shares]
struct ShareErrors {
  std::vector<double> squared = std::vector<double>(std::size(kShares)), absolute = squared;
  double count = 0;
  std::vector<float> unstacked;  // the squares of each error of share 0

  void Add(const ShareErrors& more) {
    for (std::size_t i = 0; i < std::size(kShares); ++i) {
      squared[i] += more.squared[i];
      absolute[i] += more.absolute[i];
    }
    count += more.count;
    unstacked.insert(unstacked.end(), more.unstacked.begin(), more.unstacked.end());
  }

  // What share i costs over share 0 in squared error, relative to all of that but its largest hundredth: an
  // outcome that nobody could foresee may be most of it, and a percent of that hides what the others lose.
  double Cost(std::size_t i) const {
    std::vector<float> squares = unstacked;
    const auto largest = squares.end() - static_cast<std::ptrdiff_t>(squares.size() / 100);
    if (largest != squares.end()) std::ranges::nth_element(squares, largest);
    const double sum = std::accumulate(squares.begin(), largest, 0.0);
    return sum > 0 ? (squared[i] - squared[0]) / sum : 0;
  }
};

// Adds those of each channel on a block that is left out. errors [channels]
void AddErrorsOfShares(const std::vector<std::vector<Sample>>& channels, std::size_t left,
                       std::vector<ShareErrors>& errors) {
#pragma omp parallel for schedule(dynamic)
  for (std::size_t channel = 0; channel < channels.size(); ++channel) {
    const Sample& sample = channels[channel][left];
    if (sample.outcomes.empty()) continue;
    errors[channel].count += static_cast<double>(sample.outcomes.size());
    const std::vector<float> stacked = Weights(channels[channel], left);
    std::vector<float> error;
    for (std::size_t i = 0; i < std::size(kShares); ++i) {
      std::vector<float> weights = stacked;
      for (float& weight : weights) weight *= static_cast<float>(kShares[i]);
      weights.back() += static_cast<float>(1 - kShares[i]);
      FillErrors(sample, weights, error);
      if (i == 0) {
        for (const float e : error) errors[channel].unstacked.push_back(e * e);
      }
      errors[channel].squared[i] += std::inner_product(error.begin(), error.end(), error.begin(), 0.0);
      errors[channel].absolute[i] += SumOfSizes(error);
    }
  }
}

// The channels' mean logarithms of their mean errors, so that each counts alike whatever its size. [shares]
struct LogErrors {
  std::vector<double> squared = std::vector<double>(std::size(kShares)), absolute = squared;
};
LogErrors MeanLogs(const std::vector<ShareErrors>& errors) {
  constexpr double kLeast = 1e-12;
  LogErrors mean;
  for (const ShareErrors& one : errors) {
    if (one.count == 0) continue;
    for (std::size_t i = 0; i < std::size(kShares); ++i) {
      const auto channels = static_cast<double>(errors.size());
      mean.squared[i] += std::log(one.squared[i] / one.count + kLeast) / channels;
      mean.absolute[i] += std::log(one.absolute[i] / one.count + kLeast) / channels;
    }
  }
  return mean;
}

void ChoosePart(const std::vector<std::vector<Sample>>& channels, LinearPart& part) {
  if (part.last_value()) return;
  const std::size_t blocks = channels[0].size();
  std::vector<ShareErrors> all(channels.size());
  LogErrors of_blocks;  // their mean, so that each counts alike too
  for (std::size_t left = 0; left < blocks; ++left) {
    std::vector<ShareErrors> errors(channels.size());
    AddErrorsOfShares(channels, left, errors);
    for (std::size_t channel = 0; channel < channels.size(); ++channel) all[channel].Add(errors[channel]);
    const LogErrors block = MeanLogs(errors);
    for (std::size_t i = 0; i < std::size(kShares); ++i) {
      of_blocks.squared[i] += block.squared[i] / static_cast<double>(blocks);
      of_blocks.absolute[i] += block.absolute[i] / static_cast<double>(blocks);
    }
  }
  const LogErrors over_all = MeanLogs(all);
  for (std::size_t i = 1; i < std::size(kShares); ++i) {
    const auto gain = [i](const std::vector<double>& errors) { return errors[0] - errors[i]; };
    const double squared = gain(of_blocks.squared), absolute = gain(of_blocks.absolute);
    const double gains = (squared + absolute) / 2;
    if (gains <= part.stacked_gain) continue;
    double cost = 0;
    for (const ShareErrors& channel : all) cost += channel.Cost(i) / static_cast<double>(all.size());
    if (std::max({-squared, -absolute, -gain(over_all.absolute), cost}) > kMayCost) continue;
    part.stacked = kShares[i];
    part.stacked_gain = gains;
  }
}

}  // namespace

std::vector<double> StackedErrors(const LinearRows& rows, const LinearSums& sums,
                                  const std::vector<std::size_t>& periods, const LinearChoice& choice,
                                  std::size_t left) {
  const StepsToCompare compared(choice.parts);
  const Matrix simple = SimpleMaps(choice, rows.context(), periods, compared.steps);
  std::vector<double> mean(std::size(kShares));
  for (const auto& channels : Forecasts(rows, sums, simple, compared, choice)) {
    std::vector<ShareErrors> errors(channels.size());
    AddErrorsOfShares(channels, left, errors);
    const LogErrors logs = MeanLogs(errors);
    for (std::size_t i = 0; i < mean.size(); ++i)
      mean[i] += (logs.squared[i] + logs.absolute[i]) / static_cast<double>(choice.parts.size());
  }
  return mean;
}

void ChooseStacked(const LinearRows& rows, const LinearSums& sums, const std::vector<std::size_t>& periods,
                   LinearChoice& choice) {
  const StepsToCompare compared(choice.parts);
  const Matrix simple = SimpleMaps(choice, rows.context(), periods, compared.steps);
  const Samples samples = Forecasts(rows, sums, simple, compared, choice);
  for (std::size_t part = 0; part < samples.size(); ++part) ChoosePart(samples[part], choice.parts[part]);
}

std::vector<Matrix> Stacked(const LinearRows& rows, const LinearSums& sums,
                            const std::vector<std::size_t>& periods, const LinearChoice& choice,
                            std::vector<Matrix> maps) {
  const StepsToCompare compared(choice.parts);
  const Samples samples =
      Forecasts(rows, sums, SimpleMaps(choice, rows.context(), periods, compared.steps), compared, choice);
  const Matrix simple = SimpleMaps(choice, rows.context(), periods, choice.steps());
  const std::size_t horizon = choice.parts.back().end;
  maps.resize(rows.maps(), maps[0]);
#pragma omp parallel for schedule(dynamic)
  for (std::size_t channel = 0; channel < maps.size(); ++channel) {
    for (std::size_t part = 0; part < samples.size(); ++part) {
      const auto share = static_cast<float>(choice.parts[part].stacked);
      if (share == 0) continue;
      const std::vector<float> weights = Weights(samples[part][channel]);
      for (std::size_t h = choice.parts[part].begin; h < choice.parts[part].end; ++h) {
        float* const row = maps[channel].row(h);
        for (std::size_t i = 0; i < simple.cols; ++i) row[i] *= 1 - share + share * weights.back();
        for (std::size_t map = 0; map + 1 < weights.size(); ++map) {
          const float* const one = simple.row(map * horizon + h);
          for (std::size_t i = 0; i < simple.cols; ++i) row[i] += share * weights[map] * one[i];
        }
      }
    }
  }
  return maps;
}

}  // namespace tidegate
