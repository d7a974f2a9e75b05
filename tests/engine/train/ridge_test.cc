#include "engine/train/ridge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

namespace tidegate {
namespace {

struct Rows {
  Matrix x, y;
};

// y = 2 x0 - x1 + 0.5, and noise; a second output that is x2.
Rows Make(std::size_t rows, unsigned seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  Rows data = {Matrix(rows, 4), Matrix(rows, 2)};
  for (std::size_t r = 0; r < rows; ++r) {
    float* const x = data.x.row(r);
    for (std::size_t i = 0; i < 3; ++i) x[i] = normal(random);
    x[3] = 1;
    data.y.row(r)[0] = 2 * x[0] - x[1] + 0.5f + 0.01f * normal(random);
    data.y.row(r)[1] = x[2];
  }
  return data;
}

TEST(RidgeTest, FindsTheMap) {
  const Rows data = Make(500, 1);
  RidgeSums sums(4, 2);
  sums.Add(data.x, data.y);
  const Matrix w = sums.Solve(1e-9);
  EXPECT_THAT(w.values,
              testing::Pointwise(testing::FloatNear(3e-3f), std::vector<float>{2, -1, 0, 0.5f, 0, 0, 1, 0}));
}

TEST(RidgeTest, ErrorIsThatOfTheRows) {
  const Rows data = Make(50, 2);
  RidgeSums sums(4, 2), other(4, 2);
  sums.Add(data.x, data.y);
  Matrix w(2, 4);
  w.values = {1, 0.5f, -1, 0.25f, 0.5f, 0, 0, 1};
  double expected = 0;
  for (std::size_t r = 0; r < 50; ++r) {
    for (std::size_t k = 0; k < 2; ++k) {
      double error = data.y.row(r)[k];
      for (std::size_t i = 0; i < 4; ++i) error -= w.row(k)[i] * data.x.row(r)[i];
      expected += error * error;
    }
  }
  EXPECT_NEAR(sums.Error(w), expected, 1e-3);
  other.Add(data.x, data.y);
  other.Add(sums);
  EXPECT_NEAR(other.Error(w), 2 * expected, 2e-3);
  EXPECT_EQ(other.rows(), 100);
}

TEST(RidgeTest, ALargePenaltyLeavesNothing) {
  const Rows data = Make(200, 3);
  RidgeSums sums(4, 2);
  sums.Add(data.x, data.y);
  EXPECT_THAT(sums.Solve(1e9).values, testing::Each(testing::FloatNear(0, 1e-6f)));
}

TEST(RidgeTest, DearInputsAreLeftOut) {
  const Rows data = Make(200, 5);
  RidgeSums sums(4, 2);
  sums.Add(data.x, data.y);
  const std::vector<double> dearness = {1, 1e12, 1, 1};
  const Matrix w = sums.Solve(1e-6, dearness);
  EXPECT_NEAR(w.row(0)[0], 2, 0.3);
  EXPECT_NEAR(w.row(0)[1], 0, 1e-4);
}

TEST(RidgeTest, APartIsWhatTheLastInputsAloneWouldGive) {
  const Rows data = Make(100, 4);
  RidgeSums sums(4, 2), last(3, 1);
  sums.Add(data.x, data.y);
  Matrix x(100, 3), y(100, 1);
  for (std::size_t r = 0; r < 100; ++r) {
    for (std::size_t i = 0; i < 3; ++i) x.row(r)[i] = data.x.row(r)[i + 1];
    y.row(r)[0] = data.y.row(r)[1];
  }
  last.Add(x, y);
  EXPECT_THAT(sums.Part(3, {1}).Solve(0.1).values,
              testing::Pointwise(testing::FloatNear(1e-5f), last.Solve(0.1).values));
}

}  // namespace
}  // namespace tidegate
