// Robust maps against the least of what they are to make least, found by plain descent.
#include "engine/train/linear_robust.h"

#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "tests/engine/train/levels.h"

namespace tidegate {
namespace {

constexpr std::size_t kContext = 6;

// A walk whose step is part of the step before, with a few that are far larger.
std::vector<PreparedSeries> Walk(const ModelSpec& spec) {
  std::mt19937_64 random(3);
  std::normal_distribution<double> normal;
  std::bernoulli_distribution rare(0.02);
  double level = 0, move = 0;
  return {Levels(
      [&](std::size_t) {
        move = 0.5 * move + normal(random) * (rare(random) ? 30 : 1);
        return level += move;
      },
      spec)};
}

struct Rows {
  std::vector<std::vector<double>> x;
  std::vector<double> y;  // of the only step
};
Rows AllRows(const LinearRows& rows) {
  Rows all;
  rows.ForEach(0, {0}, [&](std::size_t, const Matrix& x, const Matrix& y) {
    for (std::size_t r = 0; r < x.rows; ++r) {
      all.x.emplace_back(x.row(r), x.row(r) + kContext);
      all.y.push_back(y.row(r)[0]);
    }
  });
  return all;
}

double Error(const Rows& rows, std::size_t r, const std::vector<double>& map) {
  double error = rows.y[r];
  for (std::size_t i = 0; i < kContext; ++i) error -= map[i] * rows.x[r][i];
  return error;
}

// The mean of what errors count as, d^2 (sqrt(1 + (e / d)^2) - 1), and half the penalty of the move.
double Counted(const Rows& rows, double variance, const std::vector<double>& start,
               const std::vector<double>& map) {
  double sum = 0;
  for (std::size_t r = 0; r < rows.y.size(); ++r) {
    const double error = Error(rows, r, map);
    sum += variance * (std::sqrt(1 + error * error / variance) - 1);
  }
  sum /= static_cast<double>(rows.y.size());
  const std::vector<double> dearness = Dearness(kContext, false);
  for (std::size_t i = 0; i < kContext; ++i)
    sum += 0.5 * 0.3 * dearness[i] * (map[i] - start[i]) * (map[i] - start[i]);
  return sum;
}

TEST(LinearRobustTest, MapsMakeLeastWhatErrorsCountAs) {
  const ModelSpec spec = Spec(1);
  const std::vector<PreparedSeries> data = Walk(spec);
  LinearChoice choice(1, {.context = kContext, .penalty = 0.01});
  const LinearRows rows(data, spec, kContext, 100'000, LinearRows::Part::kAll, false);
  std::vector<Matrix> maps = LinearSums(rows).Solve(choice, choice.steps());
  const Matrix before = maps[0];
  MakeRobust(rows, choice, choice.steps(), maps);
  EXPECT_EQ(maps[0].values, before.values) << "no part is to be robust";
  choice.parts[0].robust = true;
  MakeRobust(rows, choice, choice.steps(), maps);

  const Rows all = AllRows(rows);
  const std::vector<double> start(before.values.begin(), before.values.end());
  double variance = 0;
  for (std::size_t r = 0; r < all.y.size(); ++r) variance += std::pow(Error(all, r, start), 2);
  variance /= static_cast<double>(all.y.size());
  const double at_start = Counted(all, variance, start, start);
  std::vector<double> least = start;
  double at_least = at_start;
  for (double step = 0.1; step > 1e-6; step *= 0.7) {  // one weight after the other, each way
    bool better = true;
    for (int round = 0; round < 20 && better; ++round) {
      better = false;
      for (std::size_t i = 0; i + 1 < kContext; ++i) {
        for (const double by : {-step, step}) {
          std::vector<double> tried = least;
          tried[i] += by;
          const double counted = Counted(all, variance, start, tried);
          if (counted >= at_least) continue;
          at_least = counted;
          least = tried;
          better = true;
        }
      }
    }
  }
  const std::vector<double> found(maps[0].values.begin(), maps[0].values.end());
  EXPECT_LT(at_least, at_start);
  EXPECT_LT(Counted(all, variance, start, found), at_least + 0.03 * (at_start - at_least));
}

TEST(LinearRobustTest, AreChosenWhereAFewErrorsAreFarLargerThanTheOthers) {
  const ModelSpec spec = Spec(1);
  const auto chosen = [&](const std::vector<PreparedSeries>& data) {
    const LinearRows rows(data, spec, kContext, 100'000, LinearRows::Part::kBlocks, false);
    const LinearSums sums(rows);
    LinearChoice choice = sums.Choose({kContext});
    ChooseRobust(rows, sums, choice);
    return choice.parts[0];
  };
  EXPECT_TRUE(chosen(Walk(spec)).robust);
  std::mt19937_64 random(4);
  std::normal_distribution<double> normal;
  const LinearPart last_value =
      chosen({Levels([&, level = 0.0](std::size_t) mutable { return level += normal(random); }, spec)});
  EXPECT_TRUE(last_value.last_value());
  EXPECT_FALSE(last_value.robust) << "where the last value stays, it stays";
}

}  // namespace
}  // namespace tidegate
