#include "engine/stream/residual_table.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

namespace tidegate {
namespace {

TEST(ResidualTableTest, ScoreIsTheShareOfSmallerResiduals) {
  std::mt19937 random(1);
  std::gamma_distribution<float> gamma(2, 0.1f);
  std::vector<float> residuals(5000);
  for (float& r : residuals) r = gamma(random);
  const ResidualTable table = ResidualTable::From(residuals);
  for (int i = 0; i < 200; ++i) {
    const float r = gamma(random);
    const auto smaller = std::count_if(residuals.begin(), residuals.end(), [&](float v) { return v < r; });
    EXPECT_NEAR(table.Score(r), static_cast<double>(smaller) / 5000, 0.01) << r;
    EXPECT_EQ(table.Score(r), table.Score(-r));
  }
}

TEST(ResidualTableTest, ScoreRisesForEverAndStaysBelowOne) {
  const ResidualTable table = ResidualTable::From({0, 0, 0, 0.01f, 0.01f, 0.02f, 0.05f});
  float before = -1;
  for (int i = 0; i < 300; ++i) {
    const float r = 0.001f * static_cast<float>(i);
    const float score = table.Score(r);
    EXPECT_GE(score, before) << r;
    before = score;
  }
  EXPECT_LT(table.Score(1e30f), 1);
  EXPECT_LT(table.Score(std::numeric_limits<float>::max()), 1);
  EXPECT_GT(table.Score(1e6f), 0.999f);
  EXPECT_GE(table.Score(0), 0);
}

TEST(ResidualTableTest, WithoutResidualsOrForecastThereIsNoScore) {
  EXPECT_TRUE(std::isnan(ResidualTable().Score(1)));
  EXPECT_TRUE(std::isnan(ResidualTable::From({std::nanf("")}).Score(1)));
  EXPECT_TRUE(std::isnan(ResidualTable::From({1, 2}).Score(std::nanf(""))));
}

TEST(ResidualTableTest, OneResidualThatIsZeroStillTellsZeroFromMore) {
  const ResidualTable table = ResidualTable::From({0});
  EXPECT_EQ(table.Score(0), 0);
  EXPECT_GT(table.Score(0.1f), 0.99f);
  EXPECT_LT(table.Score(0.1f), 1.0f);
}

}  // namespace
}  // namespace tidegate
