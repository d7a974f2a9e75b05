#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include "engine/backtest/autoregression.h"
#include "engine/backtest/seasonal_naive.h"
#include "engine/tensor/nan.h"

namespace tidegate {
namespace {

Target TargetWith(std::vector<float> values, std::size_t from) {
  Target target = {.values = std::move(values), .known = {}, .scored = {}, .deviation = 2, .from = from};
  float last = kNaN;
  for (const float value : target.values) {
    if (!std::isnan(value)) last = value;
    target.known.push_back(last);
    target.scored.push_back(!std::isnan(value));
  }
  return target;
}

TEST(SeasonalNaiveTest, TakesTheValueOfTheLastSeasonThatIsKnown) {
  const std::vector<Target> targets = {TargetWith({1, 2, 3, 4, kNaN, 6, 7, 8}, 4)};
  const SeasonalNaive naive(targets, 3, 7, {0.5f});
  EXPECT_EQ(naive.Forecast(targets[0], 5, 1), 4);  // row 6: row 3
  EXPECT_EQ(naive.Forecast(targets[0], 5, 2), 2);  // row 7: row 4 is missing, so row 1
  EXPECT_EQ(naive.Forecast(targets[0], 5, 3), 6);  // row 8: row 5
  EXPECT_EQ(naive.Forecast(targets[0], 5, 6), 6);  // row 11: two seasons back
  EXPECT_EQ(naive.Forecast(targets[0], 1, 1), 2);  // row 2: nothing before it, so the last value
}

TEST(SeasonalNaiveTest, ScaleAndQuantilesAreThoseOfTheRowsBeforeTheTest) {
  std::mt19937 random(1);
  std::normal_distribution<float> noise(0, 1);
  std::vector<float> values(300);
  for (float& value : values) value = noise(random);
  const std::vector<Target> targets = {TargetWith(values, 200)};
  const SeasonalNaive naive(targets, 24, 48, {0.25f, 0.5f, 0.75f});
  for (std::size_t seasons = 1; seasons <= 2; ++seasons) {
    std::vector<double> differences;
    double absolute = 0;
    for (std::size_t t = 24 * seasons; t < 200; ++t)
      differences.push_back(values[t] - values[t - 24 * seasons]);
    for (const double difference : differences) absolute += std::abs(difference);
    if (seasons == 1) {
      EXPECT_NEAR(naive.scale(), absolute / static_cast<double>(differences.size()), 1e-6);
    }
    std::ranges::sort(differences);
    std::vector<float> quantiles(3);
    ASSERT_TRUE(naive.Quantiles(5, 24 * seasons, quantiles));
    for (std::size_t q = 0; q < 3; ++q) {  // numpy.quantile's linear rule
      const double place = 0.25 * static_cast<double>(q + 1) * static_cast<double>(differences.size() - 1);
      const auto below = static_cast<std::size_t>(place);
      const double share = place - static_cast<double>(below);
      EXPECT_NEAR(quantiles[q], 5 + differences[below] * (1 - share) + differences[below + 1] * share, 1e-5);
    }
  }
}

TEST(SeasonalNaiveTest, WithTooFewRowsThereAreNoQuantiles) {
  const std::vector<Target> targets = {TargetWith({1, 2, 3, 4, 5, 6}, 4)};
  std::vector<float> quantiles(1);
  EXPECT_FALSE(SeasonalNaive(targets, 2, 2, {0.5f}).Quantiles(1, 1, quantiles));
  EXPECT_TRUE(std::isnan(SeasonalNaive(targets, 5, 2, {0.5f}).scale()));
}

// y(t) = 1.2 y(t-1) - 0.5 y(t-2) + noise about a level.
std::vector<float> Autoregressive(std::size_t rows) {
  std::mt19937 random(2);
  std::normal_distribution<float> noise(0, 0.1f);
  std::vector<float> values = {0, 0};
  for (std::size_t t = 2; t < rows; ++t)
    values.push_back(1.2f * values[t - 1] - 0.5f * values[t - 2] + noise(random));
  return values;
}

TEST(AutoregressionTest, ForecastsAnAutoregressiveProcessAboutAsWellAsItsOwnEquation) {
  const std::vector<float> values = Autoregressive(3000);
  const std::vector<Target> targets = {TargetWith(values, 2000)};
  auto fitted = Autoregression::Fit(targets, 3);
  ASSERT_TRUE(fitted.has_value());
  Matrix forecasts;
  double ours = 0, own = 0, naive = 0;
  for (std::size_t t = 2000; t + 3 < 3000; ++t) {
    const Autoregression::Origin origin = {&targets[0], t};
    fitted->Forecast({&origin, 1}, forecasts);
    float a = values[t - 1], b = values[t];
    for (std::size_t h = 0; h < 3; ++h) {
      const float next = 1.2f * b - 0.5f * a;
      a = b;
      b = next;
      own += std::pow(next - values[t + 1 + h], 2);
      ours += std::pow(forecasts.row(0)[h] - values[t + 1 + h], 2);
      naive += std::pow(values[t] - values[t + 1 + h], 2);
    }
  }
  EXPECT_LT(ours, 1.1 * own);  // it does not know the level that the process returns to
  EXPECT_LT(ours, 0.7 * naive);
}

TEST(AutoregressionTest, LearnsNothingFromTheTestPart) {
  std::vector<float> values = Autoregressive(1500);
  const std::vector<Target> targets = {TargetWith(values, 1000)};
  for (std::size_t t = 1000; t < 1500; ++t) values[t] = static_cast<float>(t % 7);
  const std::vector<Target> other = {TargetWith(values, 1000)};
  auto fitted = Autoregression::Fit(targets, 5), again = Autoregression::Fit(other, 5);
  ASSERT_TRUE(fitted.has_value() && again.has_value());
  Matrix first, second;
  const Autoregression::Origin origin = {&targets[0], 999}, same = {&other[0], 999};
  fitted->Forecast({&origin, 1}, first);
  again->Forecast({&same, 1}, second);
  EXPECT_EQ(first.values, second.values);
}

TEST(AutoregressionTest, WithTooFewRowsThereIsNone) {
  const std::vector<Target> targets = {TargetWith(Autoregressive(100), 20)};
  EXPECT_FALSE(Autoregression::Fit(targets, 3).has_value());
}

}  // namespace
}  // namespace tidegate
