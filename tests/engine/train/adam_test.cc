#include "engine/train/adam.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace tidegate {
namespace {

// Algorithm 1 of the paper for one weight, in double precision.
struct PaperAdam {
  double Step(double weight, double gradient, double rate) {
    ++t;
    m = 0.9 * m + 0.1 * gradient;
    v = 0.999 * v + 0.001 * gradient * gradient;
    return weight - rate * (m / (1 - std::pow(0.9, t))) / (std::sqrt(v / (1 - std::pow(0.999, t))) + 1e-8);
  }
  int t = 0;
  double m = 0, v = 0;
};

TEST(AdamTest, StepsAsThePaperDoes) {
  std::vector<float> first = {1, -2}, second = {0.5f}, d_first(2), d_second(1);
  Adam adam({first, second}, {d_first, d_second});
  std::vector<double> expected = {1, -2, 0.5};
  std::vector<PaperAdam> papers(3);
  for (int step = 0; step < 50; ++step) {
    d_first = {std::sin(0.3f * static_cast<float>(step)), 2.0f};
    d_second = {1e-3f * static_cast<float>(step % 5 - 2)};
    const double rate = 0.01 / (1 + step);
    adam.Step(rate);
    expected[0] = papers[0].Step(expected[0], d_first[0], rate);
    expected[1] = papers[1].Step(expected[1], d_first[1], rate);
    expected[2] = papers[2].Step(expected[2], d_second[0], rate);
  }
  EXPECT_NEAR(first[0], expected[0], 1e-5);
  EXPECT_NEAR(first[1], expected[1], 1e-5);
  EXPECT_NEAR(second[0], expected[2], 1e-5);
}

TEST(ClipNormTest, ShortensWhatIsLongerAndKeepsItsDirection) {
  std::vector<float> a = {3}, b = {0, 4};
  ClipNorm({a, b}, 1);
  EXPECT_FLOAT_EQ(a[0], 0.6f);
  EXPECT_THAT(b, testing::ElementsAre(0, testing::FloatEq(0.8f)));
}

TEST(ClipNormTest, LeavesWhatIsShorter) {
  std::vector<float> a = {0.3f, 0.4f};
  ClipNorm({a}, 1);
  EXPECT_THAT(a, testing::ElementsAre(0.3f, 0.4f));
}

}  // namespace
}  // namespace tidegate
