#include "engine/tensor/packed_linear.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cmath>
#include <random>
#include <vector>

#include "engine/tensor/gemm.h"

namespace tidegate {
namespace {

std::vector<float> Random(std::size_t n, unsigned seed) {
  std::mt19937 random(seed);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> values(n);
  for (float& v : values) v = uniform(random);
  return values;
}

struct Shape {
  std::size_t inputs, outputs;
};

class PackedLinearTest : public testing::TestWithParam<Shape> {
 protected:
  const std::size_t inputs_ = GetParam().inputs;
  const std::size_t outputs_ = GetParam().outputs;
  const std::vector<float> weights_ = Random(inputs_ * outputs_, 1);
  const std::vector<float> bias_ = Random(outputs_, 2);
  const PackedLinear linear_{weights_.data(), bias_.data(), outputs_, inputs_};

  std::vector<float> Apply(const float* x, std::size_t rows) const {
    std::vector<const float*> pointers;
    for (std::size_t r = 0; r < rows; ++r) pointers.push_back(x + r * inputs_);
    std::vector<float> y(rows * outputs_);
    linear_.Apply(pointers.data(), y.data(), rows);
    return y;
  }
};

TEST_P(PackedLinearTest, IsTheProductPlusBias) {
  const std::size_t rows = 19;
  const std::vector<float> x = Random(rows * inputs_, 3);
  const std::vector<float> y = Apply(x.data(), rows);
  for (std::size_t r = 0; r < rows; ++r) {
    for (std::size_t o = 0; o < outputs_; ++o) {
      double sum = bias_[o];
      for (std::size_t i = 0; i < inputs_; ++i) sum += double{x[r * inputs_ + i]} * weights_[o * inputs_ + i];
      ASSERT_NEAR(y[r * outputs_ + o], sum, 1e-6 * std::sqrt(inputs_) + 1e-6)
          << "row " << r << " output " << o;
    }
  }
}

TEST_P(PackedLinearTest, ARowsBitsDependNeitherOnTheBatchNorOnItsPlaceInIt) {
  const std::size_t rows = 70;
  const std::vector<float> x = Random(rows * inputs_, 4);
  const std::vector<float> all = Apply(x.data(), rows);
  for (std::size_t r = 0; r < rows; ++r) {
    const std::vector<float> alone = Apply(&x[r * inputs_], 1);
    const std::vector<float> expected(all.begin() + r * outputs_, all.begin() + (r + 1) * outputs_);
    ASSERT_EQ(alone, expected) << "row " << r;
  }
}

TEST_P(PackedLinearTest, AgreesWithOneDnn) {
  const std::size_t rows = 33;
  const std::vector<float> x = Random(rows * inputs_, 5);
  std::vector<float> expected(rows * outputs_);
  for (std::size_t r = 0; r < rows; ++r) std::copy(bias_.begin(), bias_.end(), &expected[r * outputs_]);
  Gemm(Transpose::kNo, Transpose::kYes, rows, outputs_, inputs_, x.data(), weights_.data(), expected.data(),
       true);
  EXPECT_THAT(Apply(x.data(), rows), testing::Pointwise(testing::FloatNear(2e-5f), expected));
}

INSTANTIATE_TEST_SUITE_P(Shapes, PackedLinearTest,
                         testing::Values(Shape{1, 1}, Shape{3, 24}, Shape{8, 48}, Shape{17, 51},
                                         Shape{64, 192}, Shape{257, 72}, Shape{256, 1024}));

}  // namespace
}  // namespace tidegate
