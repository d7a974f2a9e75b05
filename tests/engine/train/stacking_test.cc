// Stacked maps against what they are to make least, on series whose best forecast is known.
#include "engine/train/stacking.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <numbers>
#include <random>
#include <vector>

#include "engine/train/seasonal_maps.h"
#include "tests/engine/train/levels.h"

namespace tidegate {
namespace {

constexpr std::size_t kContext = 40, kPeriod = 12;

// What a map forecasts at step h from 1 of the levels [kContext], less the last one.
double Forecast(const Matrix& map, const std::vector<double>& levels, std::size_t h) {
  double forecast = 0;
  for (std::size_t i = 0; i < kContext; ++i) forecast += map.row(h - 1)[i] * (levels[i] - levels.back());
  return levels.back() + forecast;
}

TEST(SeasonalMapsTest, AreTheMeansThatTheirNamesSay) {
  const std::size_t horizon = 15;
  const std::vector<Matrix> maps = SeasonalMaps(kContext, horizon, {kPeriod});
  // The last value, the mean over a period, and for one and two periods: as it is, and moved in both ways.
  ASSERT_EQ(maps.size(), 1 + 1 + 3 * 2u);
  std::mt19937_64 random(1);
  std::normal_distribution<double> normal;
  std::vector<double> levels(kContext);
  for (double& level : levels) level = normal(random);
  const auto back = [&](std::size_t readings) { return levels[kContext - 1 - readings]; };
  const auto mean = [&](std::size_t from) {
    double sum = 0;
    for (std::size_t i = 0; i < kPeriod; ++i) sum += back(from + i);
    return sum / kPeriod;
  };
  for (std::size_t h = 1; h <= horizon; ++h) {
    const std::size_t ago = (h <= kPeriod ? kPeriod : 2 * kPeriod) - h;  // readings back to a season before
    const double one = back(ago), two = (back(ago) + back(ago + kPeriod)) / 2;
    const double end_of_two = (back(kPeriod) + back(2 * kPeriod)) / 2;
    const double mean_of_two = (mean(kPeriod) + mean(2 * kPeriod)) / 2;
    const std::vector<double> expected = {back(0),
                                          mean(0),
                                          one,
                                          one + back(0) - back(kPeriod),
                                          one + mean(0) - mean(kPeriod),
                                          two,
                                          two + back(0) - end_of_two,
                                          two + mean(0) - mean_of_two};
    for (std::size_t map = 0; map < maps.size(); ++map)
      EXPECT_NEAR(Forecast(maps[map], levels, h), expected[map], 1e-5) << map << " at " << h;
  }
}

TEST(SeasonalMapsTest, NeedNoMoreThanTheContext) {
  EXPECT_EQ(SeasonalMaps(kPeriod, 3, {kPeriod}).size(), 1 + 1 + 1u)
      << "a period ago is held, not how it is moved";
  EXPECT_EQ(SeasonalMaps(kPeriod - 1, 3, {kPeriod}).size(), 1u);
}

// Channel 0 repeats itself, with noise; channel 1 walks at random.
std::vector<PreparedSeries> SeasonAndWalk(const ModelSpec& spec) {
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal;
  double walk = 0;
  return {Levels(
              [&](std::size_t t) {
                return 3 * std::sin(2 * std::numbers::pi * static_cast<double>(t) / kPeriod) +
                       0.3 * normal(random);
              },
              spec, 0),
          Levels([&](std::size_t) { return walk += normal(random); }, spec, 1)};
}

LinearChoice Regression(std::size_t horizon) {
  LinearChoice choice(horizon, {.context = kContext, .penalty = 0.01});
  for (LinearPart& part : choice.parts) part.last_value_error = 1;
  choice.stacked_context = kContext;
  return choice;
}

LinearRows Rows(const std::vector<PreparedSeries>& data, const ModelSpec& spec, bool per_channel) {
  return {data, spec, kContext, 100'000, LinearRows::Part::kBlocks, per_channel};
}

// The errors of a channel's one step ahead, in all its rows.
std::vector<double> Errors(const LinearRows& rows, std::size_t channel, const Matrix& map) {
  std::vector<double> errors;
  for (std::size_t block = 0; block < rows.blocks(); ++block) {
    rows.ForEach(block, {0}, [&](std::size_t of, const Matrix& x, const Matrix& y) {
      for (std::size_t r = 0; of == channel && r < x.rows; ++r) {
        double error = y.row(r)[0];
        for (std::size_t i = 0; i < kContext; ++i) error -= map.row(0)[i] * x.row(r)[i];
        errors.push_back(error);
      }
    });
  }
  return errors;
}

double MeanSize(const std::vector<double>& errors) {
  double sum = 0;
  for (const double error : errors) sum += std::abs(error);
  return sum / static_cast<double>(errors.size());
}

double MeanError(const LinearRows& rows, std::size_t channel, const Matrix& map) {
  return MeanSize(Errors(rows, channel, map));
}

TEST(StackingTest, EachChannelGetsTheMeanOfMapsThatErrsLeast) {
  const ModelSpec spec = Spec(1, 2);
  const std::vector<PreparedSeries> data = SeasonAndWalk(spec);
  const LinearRows rows = Rows(data, spec, true);
  const LinearSums sums(Rows(data, spec, false));
  LinearChoice choice = Regression(1);
  ChooseStacked(rows, sums, {kPeriod}, choice);
  EXPECT_EQ(choice.parts[0].stacked, 1) << "one map for both suits neither";
  EXPECT_GT(choice.parts[0].stacked_gain, 0.05);

  const std::vector<Matrix> fitted = sums.Solve(choice, choice.steps());
  const std::vector<Matrix> stacked = Stacked(rows, sums, {kPeriod}, choice, fitted);
  ASSERT_EQ(stacked.size(), 2u);
  std::vector<Matrix> simple = SeasonalMaps(kContext, 1, {kPeriod});
  simple.push_back(fitted[0]);
  for (std::size_t channel = 0; channel < 2; ++channel) {
    // Plain descent: weight moves from one map to another as long as that makes the error less.
    std::vector<double> weights(simple.size(), 1 / static_cast<double>(simple.size()));
    std::vector<std::vector<double>> errors;
    errors.reserve(simple.size());
    for (const Matrix& map : simple) errors.push_back(Errors(rows, channel, map));
    const auto error_of =
        [&](const std::vector<double>& shares) {  // of the maps' mean: the mean of their errors
          std::vector<double> mean(errors[0].size());
          for (std::size_t m = 0; m < errors.size(); ++m) {
            for (std::size_t r = 0; r < mean.size(); ++r) mean[r] += shares[m] * errors[m][r];
          }
          return MeanSize(mean);
        };
    double least = error_of(weights);
    double move = 0.2;
    for (int halved = 0; halved < 5; ++halved, move /= 2) {
      for (std::size_t from = 0; from < weights.size(); ++from) {
        for (std::size_t to = 0; to < weights.size(); ++to) {
          std::vector<double> tried = weights;
          const double moved = std::min(move, tried[from]);
          tried[from] -= moved;
          tried[to] += moved;
          if (const double error = error_of(tried); error < least) {
            least = error;
            weights = tried;
          }
        }
      }
    }
    EXPECT_LT(least, MeanError(rows, channel, fitted[0]));
    EXPECT_LT(MeanError(rows, channel, stacked[channel]), 1.01 * least) << "channel " << channel;
  }
}

// A walk of small steps with rare outliers that go back the reading after: seldom is the regression's pull
// towards the mean of more use than the last value, but then it saves nearly all of the squared error.
// last_jump: of the last reading of a second series, which stands still before it. until: the row before
// which the outliers are.
LinearPart StackedOnOutliers(double last_jump, std::size_t until = kRows) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  double walk = 0;
  const ModelSpec spec = Spec(1);
  const std::vector<PreparedSeries> data = {
      Levels(
          [&](std::size_t t) {
            walk += 0.1 * normal(random);
            return walk + (t < until && t % 97 == 50 ? 20 : 0);
          },
          spec),
      Levels([&](std::size_t t) { return t + 1 == kRows ? last_jump : 0; }, spec)};
  const LinearRows rows = Rows(data, spec, false);
  LinearChoice choice = Regression(1);
  ChooseStacked(rows, LinearSums(rows), {kPeriod}, choice);
  return choice.parts[0];
}

TEST(StackingTest, NeitherErrorMayGrowForTheOther) { EXPECT_EQ(StackedOnOutliers(0).stacked, 0); }

TEST(StackingTest, OneBlockOfLargeErrorsDoesNotHideWhatTheOthersLose) {
  EXPECT_EQ(StackedOnOutliers(2000).stacked, 0)
      << "nearly all of the squared error is the jump's, which nothing foretells";
}

TEST(StackingTest, OneOutcomeThatNothingForetellsDoesNotHideWhatAFewBlocksLose) {
  EXPECT_EQ(StackedOnOutliers(0, kRows / 2).stacked, 0);
  EXPECT_EQ(StackedOnOutliers(1000, kRows / 2).stacked, 0);
}

TEST(StackingTest, ARegressionThatIsRightIsLeftAlone) {
  const ModelSpec spec = Spec(1);
  std::mt19937_64 random(6);
  std::normal_distribution<double> normal;
  double now = 0, before = 0;
  const std::vector<PreparedSeries> data = {Levels(
      [&](std::size_t) {
        const double next = 1.6 * now - 0.8 * before + normal(random);
        before = now;
        return now = next;
      },
      spec)};
  LinearChoice choice = Regression(1);
  const LinearRows rows = Rows(data, spec, false);
  ChooseStacked(rows, LinearSums(rows), {kPeriod}, choice);
  EXPECT_FALSE(choice.stacked());
}

TEST(StackingTest, AChannelOfWhichNothingIsKnownKeepsTheRegression) {
  const ModelSpec spec = Spec(1, 3);
  const std::vector<PreparedSeries> data = SeasonAndWalk(spec);
  LinearChoice choice = Regression(1);
  choice.parts[0].stacked = 1;
  const LinearSums sums(Rows(data, spec, false));
  const std::vector<Matrix> fitted = sums.Solve(choice, choice.steps());
  const std::vector<Matrix> stacked = Stacked(Rows(data, spec, true), sums, {kPeriod}, choice, fitted);
  EXPECT_EQ(stacked[2].values, fitted[0].values);
  EXPECT_NE(stacked[0].values, fitted[0].values);
}

TEST(LinearRowsTest, BeginWhereTheTargetIsFirstKnown) {
  const ModelSpec spec = Spec(1);
  std::vector<PreparedSeries> data = {Levels([](std::size_t t) { return static_cast<double>(t); }, spec)};
  std::fill_n(data[0].values.begin(), 1000, NAN);
  const LinearRows rows(data, spec, kContext, 100'000, LinearRows::Part::kAll, false);
  std::size_t count = 0;
  rows.ForEach(0, {0}, [&](std::size_t, const Matrix& x, const Matrix&) { count += x.rows; });
  EXPECT_EQ(count, kRows - 1000 - kContext - 1);
}

}  // namespace
}  // namespace tidegate
