// Whether a difference between forecasters is chance.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

#include "engine/train/random.h"
#include "engine/tune/diebold_mariano.h"
#include "engine/tune/holm.h"

namespace tidegate {
namespace {

using testing::DoubleNear;
using testing::Pointwise;

// Differences of forecasts of `horizon` steps with no difference but `mean`: sums of neighbouring shocks.
std::vector<double> Differences(std::size_t n, std::size_t horizon, double mean, Random& random) {
  std::vector<double> shocks(n + horizon);
  for (double& shock : shocks) shock = random.Uniform(1);
  std::vector<double> differences;
  for (std::size_t i = 0; i < n; ++i) {
    double sum = mean;
    for (std::size_t k = 0; k < horizon; ++k) sum += shocks[i + k] / static_cast<double>(horizon);
    differences.push_back(sum);
  }
  return differences;
}

// The formulas written out for one step: the t statistic, and the correction's square root of (n - 1) / n.
TEST(DieboldMarianoTest, IsTheStatisticOfThePaperForOneStep) {
  const std::vector<double> differences = {0.3, -0.1, 0.4, 0.2, -0.2, 0.5};
  const double mean = 1.1 / 6;
  double variance = 0;
  for (const double d : differences) variance += (d - mean) * (d - mean) / 6;
  const double statistic = mean / std::sqrt(variance / 6) * std::sqrt(5.0 / 6);
  const DieboldMariano result = CompareLosses(differences, 1);
  EXPECT_NEAR(result.statistic, statistic, 1e-12);
  EXPECT_NEAR(result.p, std::erfc(statistic / std::sqrt(2.0)), 1e-12);
}

TEST(DieboldMarianoTest, FindsADifferenceAndNoneWhereThereIsNone) {
  Random random(1);
  int found = 0;
  for (int i = 0; i < 400; ++i) found += CompareLosses(Differences(600, 12, 0, random), 12).p < 0.05 ? 1 : 0;
  EXPECT_LT(found, 34);  // 5 % of 400, and three standard errors
  int missed = 0;
  for (int i = 0; i < 100; ++i) {
    const DieboldMariano result = CompareLosses(Differences(600, 12, -0.15, random), 12);
    missed += result.p >= 0.05 ? 1 : 0;
    EXPECT_LT(result.statistic, 0);
  }
  EXPECT_LT(missed, 5);
}

TEST(DieboldMarianoTest, SaysNothingWhereNothingCanBeSaid) {
  EXPECT_EQ(CompareLosses(std::vector<double>(100, 0.0), 4).p, 1);
  EXPECT_EQ(CompareLosses(std::vector<double>{1, 2, 3}, 24).p, 1);
  EXPECT_EQ(CompareLosses({}, 1).p, 1);
}

// The example of Holm's procedure in textbooks.
TEST(HolmTest, AsksMoreOfTheSmallest) {
  EXPECT_THAT(HolmAdjusted(std::vector<double>{0.01, 0.04, 0.03, 0.005}),
              Pointwise(DoubleNear(1e-12), {0.03, 0.06, 0.06, 0.02}));
  EXPECT_THAT(HolmAdjusted(std::vector<double>{0.9, 0.8}), Pointwise(DoubleNear(1e-12), {1.0, 1.0}));
}

}  // namespace
}  // namespace tidegate
