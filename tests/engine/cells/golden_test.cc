// Cells, gradients and the reference against PyTorch: the files that tests/golden/make_cells.py writes.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <fstream>
#include <iterator>
#include <string>

#include "engine/model/tensors.h"
#include "tests/engine/cells/recurrent.h"

namespace tidegate {
namespace {

using recurrent::Problem;

Tensors ReadGolden(const std::string& name) {
  std::ifstream file(TIDEGATE_SOURCE_DIR "/tests/golden/" + name + ".safetensors", std::ios::binary);
  const std::string bytes{std::istreambuf_iterator<char>(file), {}};
  const auto tensors = ParseSafetensors(bytes);
  if (!tensors.ok()) ADD_FAILURE() << name << ": " << tensors.status();
  return tensors.value_or(Tensors());
}

// All but the last dimension become rows.
Matrix ToMatrix(const Tensor& tensor) {
  Matrix matrix(tensor.values.size() / tensor.shape.back(), tensor.shape.back());
  matrix.values = tensor.values;
  return matrix;
}

RecurrentWeights ToWeights(const Tensors& golden, const std::string& prefix) {
  return {ToMatrix(golden.at(prefix + "weight_ih")), ToMatrix(golden.at(prefix + "weight_hh")),
          golden.at(prefix + "bias_ih").values, golden.at(prefix + "bias_hh").values};
}

class GoldenCellTest : public testing::TestWithParam<const char*> {
 protected:
  GoldenCellTest() : golden_(ReadGolden(GetParam())) {}

  void SetUp() override { ASSERT_FALSE(golden_.empty()); }

  CellKind Kind() const { return GetParam()[0] == 'g' ? CellKind::kGru : CellKind::kLstm; }

  // One sequence of 1,000 steps from a zero state.
  Problem Series() const {
    Problem problem;
    problem.kind = Kind();
    problem.batch = 1;
    problem.weights = ToWeights(golden_, "");
    problem.x = ToMatrix(golden_.at("series.x"));
    problem.state = Matrix(1, recurrent::StateFloats(Kind(), problem.weights.units()));
    return problem;
  }

  // A short batch with a loss.
  Problem Sequence() const {
    const Tensor& x = golden_.at("sequence.x");
    Problem problem;
    problem.kind = Kind();
    problem.batch = x.shape[1];
    problem.weights = ToWeights(golden_, "");
    problem.x = ToMatrix(x);
    problem.slope = ToMatrix(golden_.at("sequence.slope"));
    const std::size_t units = problem.weights.units();
    problem.state = Matrix(problem.batch, recurrent::StateFloats(Kind(), units));
    for (std::size_t b = 0; b < problem.batch; ++b) {
      std::copy_n(&golden_.at("sequence.hidden").values[b * units], units, problem.state.row(b));
      if (Kind() == CellKind::kLstm) {
        std::copy_n(&golden_.at("sequence.cell").values[b * units], units, problem.state.row(b) + units);
      }
    }
    return problem;
  }

  // outputs [1000, H] at the steps kept: an error of at most 1e-5 * max(1, |value|).
  template <typename T>
  void ExpectSeries(const std::vector<T>& outputs) const {
    const Tensor& expected = golden_.at("series.hidden");
    const std::size_t units = expected.shape[1];
    ASSERT_EQ(outputs.size(), 1000 * units);
    for (std::size_t i = 0; i < expected.values.size(); ++i) {
      const auto step = static_cast<std::size_t>(golden_.at("series.steps").values[i / units]);
      const double value = expected.values[i];
      ASSERT_NEAR(outputs[step * units + i % units], value, 1e-5 * std::max(1.0, std::abs(value)))
          << "step " << step << ", unit " << i % units;
    }
  }

  // gradient, flat: an error of at most `share` of the largest entry.
  void ExpectGradient(const std::vector<double>& gradient, double share) const {
    const auto expected =
        recurrent::Flat(ToWeights(golden_, "gradient."), ToMatrix(golden_.at("gradient.x")));
    double largest = 0;
    for (const double value : expected) largest = std::max(largest, std::abs(value));
    EXPECT_THAT(gradient, testing::Pointwise(testing::DoubleNear(share * largest), expected));
  }

  Tensors golden_;
};

TEST_P(GoldenCellTest, StepsMatchPyTorchOver1000Steps) {
  ExpectSeries(recurrent::StepOutputs(Series()).values);
}

TEST_P(GoldenCellTest, SequenceMatchesPyTorchOver1000Steps) {
  ExpectSeries(recurrent::SequenceOutputs(Series()).values);
}

TEST_P(GoldenCellTest, SequenceInPartsMatchesPyTorch) {
  Problem part = Series();
  const Matrix all = part.x;
  std::vector<float> outputs;
  part.x = Matrix(100, all.cols);
  for (std::size_t row = 0; row < all.rows; row += part.x.rows) {
    std::copy_n(all.row(row), part.x.size(), part.x.data());
    const Matrix h = recurrent::SequenceOutputs(part, &part.state);
    outputs.insert(outputs.end(), h.values.begin(), h.values.end());
  }
  ExpectSeries(outputs);
}

TEST_P(GoldenCellTest, ReferenceMatchesPyTorchOver1000Steps) {
  ExpectSeries(recurrent::ReferenceOutputs(Series()));
}

TEST_P(GoldenCellTest, GradientMatchesPyTorch) {
  ExpectGradient(recurrent::SequenceGradient(Sequence()), 1e-4);
}

TEST_P(GoldenCellTest, ReferenceGradientMatchesPyTorch) {
  ExpectGradient(recurrent::ReferenceGradient(Sequence()), 1e-6);
}

class GoldenLstmTest : public GoldenCellTest {};

TEST_P(GoldenLstmTest, CellStateMatchesPyTorchAfter1000Steps) {
  Problem first = Series();  // its last state is that after step 999, the last one kept
  recurrent::SequenceOutputs(first, &first.state);
  const Tensor& cell = golden_.at("series.cell");
  const std::size_t units = first.weights.units();
  for (std::size_t j = 0; j < units; ++j) {
    const double value = cell.values[cell.values.size() - units + j];
    EXPECT_NEAR(first.state.row(0)[units + j], value, 1e-5 * std::max(1.0, std::abs(value))) << "unit " << j;
  }
}

std::string NameOf(const testing::TestParamInfo<const char*>& file) { return file.param; }
INSTANTIATE_TEST_SUITE_P(Files, GoldenCellTest,
                         testing::Values("gru_1x1", "gru_3x8", "gru_5x16", "gru_2x33", "lstm_1x1", "lstm_3x8",
                                         "lstm_5x16", "lstm_2x33"),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Files, GoldenLstmTest,
                         testing::Values("lstm_1x1", "lstm_3x8", "lstm_5x16", "lstm_2x33"), NameOf);

}  // namespace
}  // namespace tidegate
