// How the linear path is chosen, on series whose best forecast is known.
#include "engine/train/linear_sums.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <random>
#include <vector>

#include "engine/train/linear_path.h"
#include "tests/engine/train/levels.h"

namespace tidegate {
namespace {

LinearChoice Choose(const std::vector<PreparedSeries>& data, const ModelSpec& spec) {
  return LinearSums(LinearRows(data, spec, 48, 100'000, LinearRows::Part::kBlocks, spec.channels > 0))
      .Choose({24, 48});
}

Matrix Forecast(const LinearChoice& choice, const std::vector<PreparedSeries>& data, ModelSpec spec,
                std::size_t row) {
  const LinearRows rows(data, spec, choice.context(), 100'000, LinearRows::Part::kAll, choice.per_channel());
  const LinearPath path(choice, LinearSums(rows).Solve(choice, choice.steps()), spec);
  Matrix forecast;
  path.Forecast(data, std::vector<Chunk::Origin>{{.series = 0, .row = row}}, forecast);
  return forecast;
}

TEST(LinearSumsTest, AWaveWithoutNoiseIsForecast) {
  // Errors so small that rounding makes sums of their squares negative.
  const ModelSpec spec = Spec(24);
  for (const double wave : {10.0, 3.0, 7.3}) {
    const std::vector<PreparedSeries> data = {
        Levels([wave](std::size_t t) { return std::sin(static_cast<double>(t) / wave); }, spec)};
    const LinearChoice choice = Choose(data, spec);
    for (const LinearPart& part : choice.parts) {
      EXPECT_FALSE(part.fits.empty());
      EXPECT_GE(part.trust(), 0.99);
    }
    const double ahead = std::sin(1524 / wave) - std::sin(1500 / wave);
    EXPECT_NEAR(Forecast(choice, data, spec, 1500).row(0)[23] * 4 / 2, ahead, 0.05) << wave;
  }
}

TEST(LinearSumsTest, EachPartOfTheHorizonHasItsOwnFits) {
  // A walk whose step is part of the step before: one step ahead half of that is known, far ahead nothing.
  std::mt19937_64 random(5);
  std::normal_distribution<double> normal;
  double level = 0, move = 0;
  const ModelSpec spec = Spec(200);
  const std::vector<PreparedSeries> data = {Levels(
      [&](std::size_t) {
        move = 0.5 * move + normal(random);
        return level += move;
      },
      spec)};
  const LinearChoice choice = Choose(data, spec);
  ASSERT_EQ(choice.parts.size(), 5u);
  EXPECT_EQ(choice.parts.front().end, 1u);
  EXPECT_EQ(choice.parts.back().end, 200u);
  for (std::size_t i = 1; i < choice.parts.size(); ++i)
    EXPECT_EQ(choice.parts[i].begin, choice.parts[i - 1].end);
  // The step's variance is 4/3, and 1 of it cannot be known.
  EXPECT_NEAR(choice.parts[0].last_value_error, 4.0 / 3, 0.1);
  EXPECT_NEAR(choice.parts[0].fits[0].error, 1, 0.07);
  EXPECT_EQ(choice.trust()[0], 1);
  EXPECT_EQ(choice.trust()[199], 0) << "the last value stays";
  const Matrix forecast = Forecast(choice, data, spec, 1500);
  const float moved = data[0].inputs.row(1500)[0] - data[0].inputs.row(1499)[0];
  EXPECT_NEAR(forecast.row(0)[0] * 4 / 2, 0.5 * moved, 0.15) << "in deviations of the feature";
  EXPECT_NEAR(forecast.row(0)[199], 0, 1e-3);
}

TEST(LinearSumsTest, ANetworkIsNotBelievedWhereNothingMoves) {
  EXPECT_EQ((LinearPart{.begin = 0, .end = 1, .fits = {LinearFit()}, .last_value_error = 0}).trust(), 0);
}

TEST(LinearSumsTest, WhatIsNoRandomWalkNearByIsNoneFarAhead) {
  // Noise over a level that comes back, after a first quarter in which it only grew. Far ahead that
  // quarter leaves the gain of the others in doubt; one step ahead there is none.
  std::mt19937_64 random(9);
  std::normal_distribution<double> normal;
  double apart = 0;
  const ModelSpec spec = Spec(48);
  const auto after_growth = [&](std::size_t t) {
    apart = t < kRows / 4 ? 0 : 0.9 * apart + normal(random);
    return 0.06 * static_cast<double>(std::min(t, kRows / 4)) + apart + normal(random);
  };
  const LinearChoice choice = Choose({Levels(after_growth, spec)}, spec);
  for (const LinearPart& part : choice.parts) {
    EXPECT_FALSE(part.last_value()) << part.begin;
    EXPECT_LT(part.fits[0].error, 0.99 * part.last_value_error);
  }
}

TEST(LinearSumsTest, AQuietBlockDoesNotHideWhatIsKnownOfTheOthers) {
  // Noise around a level, which then all but stands still and grows: there a map errs many times as much as
  // the last value, of next to nothing.
  std::mt19937_64 random(9);
  std::normal_distribution<double> normal;
  const ModelSpec spec = Spec(48);
  const auto noise_then_growth = [&](std::size_t t) {
    return t < kRows * 3 / 4 ? normal(random) : 1e-3 * static_cast<double>(t);
  };
  const LinearChoice choice = Choose({Levels(noise_then_growth, spec)}, spec);
  for (const LinearPart& part : choice.parts) EXPECT_FALSE(part.last_value()) << part.begin;
}

TEST(LinearSumsTest, AGrowthThatLastsIsADrift) {
  std::mt19937_64 random(6);
  std::normal_distribution<double> noise(0, 0.5);
  const ModelSpec spec = Spec(64);
  const std::vector<PreparedSeries> growing = {
      Levels([&](std::size_t t) { return 0.01 * static_cast<double>(t) + noise(random); }, spec)};
  const LinearChoice choice = Choose(growing, spec);
  EXPECT_TRUE(choice.parts.back().fits[0].drift);
  const Matrix forecast = Forecast(choice, growing, spec, 2000);
  const double last = growing[0].inputs.row(2000)[0];
  EXPECT_NEAR(last + forecast.row(0)[63] * 4 / 2, 0.01 * 2064, 0.3);

  const std::vector<PreparedSeries> level = {Levels([&](std::size_t) { return noise(random); }, spec)};
  const Matrix flat = Forecast(Choose(level, spec), level, spec, 2000);
  EXPECT_NEAR(level[0].inputs.row(2000)[0] + flat.row(0)[63] * 4 / 2, 0, 0.3) << "its mean";
}

TEST(LinearSumsTest, ChannelsThatMoveUnlikeHaveMapsOfTheirOwn) {
  std::mt19937_64 random(7);
  std::normal_distribution<double> normal;
  const ModelSpec spec = Spec(8, 2);
  std::vector<PreparedSeries> data;
  for (const double share : {0.8, -0.8}) {
    double level = 0, move = 0;
    data.push_back(Levels(
        [&](std::size_t) {
          move = share * move + normal(random);
          return level += move;
        },
        spec, data.size()));
  }
  EXPECT_TRUE(Choose(data, spec).per_channel());
  data[1] = Levels([&, level = 0.0](std::size_t) mutable { return level += normal(random); }, spec, 1);
  data[0] = Levels([&, level = 0.0](std::size_t) mutable { return level += normal(random); }, spec, 0);
  EXPECT_FALSE(Choose(data, spec).per_channel()) << "nothing is known of either";
}

// Of a line half of whose values are missing, in runs, every step goes on along the line; as if what is
// missing had stayed, the map would go half as far.
TEST(LinearSumsTest, WhatIsMissingIsNotLearntAsStaying) {
  const ModelSpec spec = Spec(8);
  PreparedSeries series = Levels([](std::size_t t) { return 0.01 * static_cast<double>(t % 3000); }, spec);
  std::mt19937_64 random(3);
  std::size_t missing = 0;
  for (std::size_t t = 1; t < kRows; ++t) {
    if (missing == 0 && random() % 8 == 0) missing = 1 + random() % 15;
    if (missing == 0) continue;
    --missing;
    series.values[t] = std::nanf("");
    series.inputs.row(t)[0] = series.inputs.row(t - 1)[0];  // as serving sees it
  }
  const std::vector<PreparedSeries> data = {series};
  const LinearRows rows(data, spec, 24, 100'000, LinearRows::Part::kAll, false);
  double ahead = 0, expected = 0;
  rows.ForEach(0, {7}, [&](std::size_t, const Matrix& x, const Matrix& y) {
    for (std::size_t r = 0; r < x.rows; ++r) ahead += y.row(r)[0];
  });
  for (std::size_t t = 0; t + 8 < kRows; ++t)
    expected += 0.01 * static_cast<double>(t + 8) - series.inputs.row(t)[0];
  EXPECT_NEAR(ahead / expected, 1, 0.01);
}

}  // namespace
}  // namespace tidegate
