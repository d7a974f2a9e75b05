// Layers with weights in bf16 and int8: against sums in double precision over the rounded operands.
#include "engine/tensor/precision.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include "engine/layers/make_layer.h"
#include "tests/engine/layers/layer_problem.h"

namespace tidegate {
namespace {

double Sigmoid(double v) { return 1 / (1 + std::exp(-v)); }

// One step of one stream as the headers of the cells write it, x and h rounded to bf16 in the products. The
// new state, and `peepholes` and a projection as the tensors have them.
class RoundedStep {
 public:
  RoundedStep(const LayerProblem& problem, const float* x, const float* state)
      : p_(problem.parameters), units_(problem.spec.units), x_(x), state_(state) {
    width_ = p_.at("weight_hh").shape[1];
  }

  std::vector<double> Gru() const {
    std::vector<double> next;
    for (std::size_t j = 0; j < units_; ++j) {
      const double r = Sigmoid(Input(j) + Hidden(j)), z = Sigmoid(Input(units_ + j) + Hidden(units_ + j));
      const double n = std::tanh(Input(2 * units_ + j) + r * Hidden(2 * units_ + j));
      next.push_back((1 - z) * n + z * state_[j]);
    }
    return next;
  }

  std::vector<double> Lstm() const {
    const bool peepholes = p_.contains("peephole");
    const auto peephole = [&](std::size_t row) { return peepholes ? p_.at("peephole").values[row] : 0.0; };
    const auto sum = [&](std::size_t gate, std::size_t j) {
      return Input(gate * units_ + j) + Hidden(gate * units_ + j);
    };
    std::vector<double> h, s;
    for (std::size_t j = 0; j < units_; ++j) {
      const double before = state_[width_ + j];
      const double i = Sigmoid(sum(0, j) + peephole(j) * before);
      const double f = Sigmoid(sum(1, j) + peephole(units_ + j) * before);
      s.push_back(f * before + i * std::tanh(sum(2, j)));
      h.push_back(Sigmoid(sum(3, j) + peephole(2 * units_ + j) * s.back()) * std::tanh(s.back()));
    }
    if (p_.contains("weight_hr")) {
      std::vector<double> projected(width_);
      for (std::size_t k = 0; k < width_; ++k) {
        for (std::size_t j = 0; j < units_; ++j)
          projected[k] += p_.at("weight_hr").values[k * units_ + j] * h[j];
      }
      h = projected;
    }
    h.insert(h.end(), s.begin(), s.end());
    return h;
  }

 private:
  double Dot(const char* weight, const char* bias, const float* v, std::size_t row) const {
    const Tensor& weights = p_.at(weight);
    const std::size_t columns = weights.shape[1];
    const float* const w = &weights.values[row * columns];
    double sum = p_.at(bias).values[row];
    for (std::size_t k = 0; k < columns; ++k) sum += static_cast<double>(w[k]) * RoundToBf16(v[k]);
    return sum;
  }
  double Input(std::size_t row) const { return Dot("weight_ih", "bias_ih", x_, row); }
  double Hidden(std::size_t row) const { return Dot("weight_hh", "bias_hh", state_, row); }

  const Tensors& p_;
  std::size_t units_, width_;
  const float* x_;
  const float* state_;
};

class PrecisionTest : public testing::TestWithParam<std::tuple<LayerFamily, Precision>> {};

TEST_P(PrecisionTest, StepAgreesWithTheSumsOfRoundedOperands) {
  const auto& [family, precision] = GetParam();
  unsigned seed = 1;
  for (const auto& [inputs, units, batch] :
       {std::tuple(1, 1, 1), std::tuple(3, 17, 5), std::tuple(8, 64, 16), std::tuple(17, 33, 97),
        std::tuple(2, 16, 2), std::tuple(5, 129, 3)}) {
    const LayerProblem problem =
        Rounded(MakeProblem(family, static_cast<std::size_t>(inputs), static_cast<std::size_t>(units),
                            static_cast<std::size_t>(batch), 1, ++seed),
                precision);
    const auto layer = MakeLayer(problem.spec, problem.parameters, precision);
    Matrix state = problem.state;
    std::vector<const float*> x, y(problem.batch);
    std::vector<float*> states;
    for (std::size_t b = 0; b < problem.batch; ++b) {
      x.push_back(problem.x.row(b));
      states.push_back(state.row(b));
    }
    Scratch scratch;
    layer->Step(x.data(), states.data(), y.data(), problem.batch, scratch);
    for (std::size_t b = 0; b < problem.batch; ++b) {
      const RoundedStep expected(problem, problem.x.row(b), problem.state.row(b));
      const auto next = IsLstm(problem.spec.kind) ? expected.Lstm() : expected.Gru();
      ASSERT_EQ(next.size(), state.cols);
      for (std::size_t i = 0; i < next.size(); ++i) {
        ASSERT_NEAR(state.row(b)[i], next[i], 1e-5)
            << inputs << " inputs, " << units << " units, stream " << b << " of " << batch << ", float " << i;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Kinds, PrecisionTest,
                         testing::Combine(testing::ValuesIn(FusedFamilies()),
                                          testing::Values(Precision::kBf16, Precision::kInt8)),
                         [](const auto& kind) {
                           return std::get<0>(kind.param).name + "_" + PrecisionName(std::get<1>(kind.param));
                         });

TEST(RoundToBf16Test, RoundsToNearestTiesToEven) {
  EXPECT_EQ(RoundToBf16(1.0f), 1.0f);
  EXPECT_EQ(RoundToBf16(1.0f + 1.0f / 256), 1.0f);                  // a tie
  EXPECT_EQ(RoundToBf16(1.0f + 3.0f / 256), 1.0f + 4.0f / 256);     // a tie, up to even
  EXPECT_EQ(RoundToBf16(-1.0f - 1.25f / 256), -1.0f - 2.0f / 256);  // nearer
  EXPECT_TRUE(std::isinf(RoundToBf16(3.4e38f)));                    // beyond the largest
  EXPECT_TRUE(std::isnan(RoundToBf16(std::nanf(""))));
}

TEST(ReduceTest, Int8RowsAreUnitsOfTheLeastPowerOfTwoThatReachesThem) {
  Tensors tensors{{"layers.0.weight_ih", {{3, 2}, {1.0f, -0.3f, 127, -126.5f, 0, 0}}}};
  ASSERT_TRUE(Reduce(Precision::kInt8, tensors).ok());
  // 127 / 128 would not reach 1: units of 1 / 64. 127 units of 1 reach 127. A row of zeros stays.
  const std::vector<float> expected{1.0f, -19.0f / 64, 127, -126, 0, 0};
  EXPECT_EQ(tensors.at("layers.0.weight_ih").values, expected);
  EXPECT_TRUE(CheckReduced(Precision::kInt8, tensors).ok());
  tensors.at("layers.0.weight_ih").values[1] += 1e-3f;
  EXPECT_NE(CheckReduced(Precision::kInt8, tensors).message().find("layers.0.weight_ih"), std::string::npos);
}

TEST(ReduceTest, LeavesBiasesAndTheLinearPath) {
  Tensors tensors{{"layers.0.bias_ih", {{1}, {0.1f}}}, {"linear.weight", {{1, 1}, {0.1f}}}};
  ASSERT_TRUE(Reduce(Precision::kBf16, tensors).ok());
  EXPECT_EQ(tensors.at("layers.0.bias_ih").values[0], 0.1f);
  EXPECT_EQ(tensors.at("linear.weight").values[0], 0.1f);
  tensors["head.weight"] = {{1, 1}, {3.4e38f}};
  EXPECT_FALSE(Reduce(Precision::kBf16, tensors).ok());
}

}  // namespace
}  // namespace tidegate
