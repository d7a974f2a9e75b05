#include "engine/tensor/gemm.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <tuple>
#include <vector>

namespace tidegate {
namespace {

using Shape = std::tuple<Transpose, Transpose, bool, std::tuple<std::size_t, std::size_t, std::size_t>>;

class GemmTest : public testing::TestWithParam<Shape> {};

TEST_P(GemmTest, AgreesWithPlainLoops) {
  const auto [transpose_a, transpose_b, accumulate, sizes] = GetParam();
  const auto [m, n, k] = sizes;
  std::mt19937_64 random(7);
  std::uniform_real_distribution<float> uniform(-1, 1);
  std::vector<float> a(m * k), b(k * n), c(m * n, 0.5f);
  for (float& value : a) value = uniform(random);
  for (float& value : b) value = uniform(random);

  std::vector<double> expected;
  for (std::size_t i = 0; i < m; ++i) {
    for (std::size_t j = 0; j < n; ++j) {
      double sum = accumulate ? 0.5 : 0;
      for (std::size_t l = 0; l < k; ++l) {
        const double left = transpose_a == Transpose::kYes ? a[l * m + i] : a[i * k + l];
        sum += left * (transpose_b == Transpose::kYes ? b[j * k + l] : b[l * n + j]);
      }
      expected.push_back(sum);
    }
  }
  Gemm(transpose_a, transpose_b, m, n, k, a.data(), b.data(), c.data(), accumulate);
  EXPECT_THAT(c, testing::Pointwise(testing::DoubleNear(1e-5), expected));
}

INSTANTIATE_TEST_SUITE_P(Shapes, GemmTest,
                         testing::Combine(testing::Values(Transpose::kNo, Transpose::kYes),
                                          testing::Values(Transpose::kNo, Transpose::kYes), testing::Bool(),
                                          testing::Values(std::tuple(1, 1, 1), std::tuple(3, 5, 7),
                                                          std::tuple(16, 96, 32), std::tuple(1, 33, 100),
                                                          std::tuple(4, 3, 0), std::tuple(0, 3, 2),
                                                          std::tuple(3, 0, 2))));

}  // namespace
}  // namespace tidegate
