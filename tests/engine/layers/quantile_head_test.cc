#include "engine/layers/quantile_head.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include "tests/engine/layers/reference.h"

namespace tidegate {
namespace {

std::vector<float> Uniform(std::mt19937_64& random, std::size_t n, float bound) {
  std::uniform_real_distribution<float> uniform(-bound, bound);
  std::vector<float> values(n);
  for (float& value : values) value = uniform(random);
  return values;
}

std::vector<double> Doubles(const std::vector<float>& values) { return {values.begin(), values.end()}; }

class QuantileHeadTest : public testing::TestWithParam<unsigned> {
 protected:
  QuantileHeadTest() : random_(GetParam()) {
    quantiles_ = 1 + 2 * (random_() % 4);
    horizon_ = 1 + random_() % 7;
    units_ = 1 + random_() % 40;
    batch_ = 1 + random_() % 20;
  }

  std::mt19937_64 random_;
  std::size_t quantiles_, horizon_, units_, batch_;
};

TEST_P(QuantileHeadTest, AgreesWithReference) {
  SCOPED_TRACE(testing::Message() << "seed " << GetParam() << ": quantiles " << quantiles_ << ", horizon "
                                  << horizon_ << ", units " << units_ << ", batch " << batch_);
  const auto weights =
      Uniform(random_, horizon_ * quantiles_ * units_, 1 / std::sqrt(static_cast<float>(units_)));
  const auto bias = Uniform(random_, horizon_ * quantiles_, 1);
  const auto hidden = Uniform(random_, batch_ * units_, 1);
  std::vector<float> answer(batch_ * horizon_ * quantiles_);
  std::vector<const float*> rows;
  for (std::size_t b = 0; b < batch_; ++b) rows.push_back(&hidden[b * units_]);
  QuantileHead(weights.data(), bias.data(), horizon_, quantiles_, units_)
      .Apply(rows.data(), answer.data(), batch_);

  std::vector<double> expected;
  for (std::size_t b = 0; b < batch_; ++b) {
    const std::vector<double> h(&hidden[b * units_], &hidden[b * units_] + units_);
    const auto y = reference::Uncross(reference::Dense(Doubles(weights), Doubles(bias), h), quantiles_);
    expected.insert(expected.end(), y.begin(), y.end());
  }
  EXPECT_THAT(answer, testing::Pointwise(testing::DoubleNear(1e-5), expected));
}

TEST_P(QuantileHeadTest, GradientAgreesWithReference) {
  SCOPED_TRACE(testing::Message() << "seed " << GetParam() << ": quantiles " << quantiles_);
  const auto before = Uniform(random_, horizon_ * quantiles_, 4);
  const auto slope = Uniform(random_, before.size(), 1);
  std::vector<float> y = before, gradient = slope;
  QuantileHead::Uncross(y.data(), horizon_, quantiles_);
  QuantileHead::UncrossGradient(y.data(), gradient.data(), horizon_, quantiles_);

  using reference::Var;
  const auto leaves = Var::Leaves(before);
  Var loss(0);
  const auto out = reference::Uncross(leaves, quantiles_);
  for (std::size_t i = 0; i < out.size(); ++i) loss = loss + Var(slope[i]) * out[i];
  const auto expected = Var::Gradient(loss, leaves);
  double largest = 0;
  for (const double value : expected) largest = std::max(largest, std::abs(value));
  EXPECT_THAT(gradient, testing::Pointwise(testing::DoubleNear(1e-4 * largest), expected));
}

INSTANTIATE_TEST_SUITE_P(Seeds, QuantileHeadTest, testing::Range(1u, 13u));

TEST(QuantileHeadUncrossTest, NeverCrossesAndNeverOverflows) {
  std::vector<float> values = {-200, 5, 200, 200, -3, -200, 1e30f, 0, 1e30f};
  QuantileHead::Uncross(values.data(), 3, 3);
  for (std::size_t row = 0; row < values.size(); row += 3) {
    EXPECT_LE(values[row], values[row + 1]);
    EXPECT_LE(values[row + 1], values[row + 2]);
    EXPECT_TRUE(std::isfinite(values[row]) && std::isfinite(values[row + 2]));
  }
  EXPECT_EQ(values[2], 205);
  EXPECT_EQ(values[3], -203);
}

TEST(QuantileHeadUncrossTest, LeavesTheMiddleAlone) {
  std::vector<float> values = {0, 7, 0};
  QuantileHead::Uncross(values.data(), 1, 3);
  EXPECT_FLOAT_EQ(values[0], 7 - std::log(2.0f));
  EXPECT_EQ(values[1], 7);
  EXPECT_FLOAT_EQ(values[2], 7 + std::log(2.0f));
}

}  // namespace
}  // namespace tidegate
