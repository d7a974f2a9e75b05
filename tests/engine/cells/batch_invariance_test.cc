// A stream's bits are the same at every batch size from 1 to 1,024 and at every place in the batch.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <tuple>
#include <vector>

#include "engine/cells/gru.h"
#include "engine/cells/lstm.h"
#include "tests/engine/cells/recurrent.h"

namespace tidegate {
namespace {

constexpr std::size_t kStreams = 1024;
constexpr std::size_t kInputs = 3;
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::size_t kStride = 17;  // sanitizers are slow: some of the sizes
#else
constexpr std::size_t kStride = 1;
#endif

class BatchInvarianceTest : public testing::TestWithParam<std::tuple<CellKind, std::size_t>> {
 protected:
  BatchInvarianceTest() {
    const auto [kind, units] = GetParam();
    const std::size_t rows = GatesOf(kind) * units;
    const RecurrentWeights weights = {Random(rows, kInputs), Random(rows, units), Random(1, rows).values,
                                      Random(1, rows).values};
    if (kind == CellKind::kGru) {
      cell_ = std::make_unique<GruCell>(weights);
    } else {
      cell_ = std::make_unique<LstmCell>(weights);
    }
    x_ = Random(kStreams, kInputs);
    before_ = Random(kStreams, cell_->state_floats());
  }

  Matrix Random(std::size_t rows, std::size_t cols) {
    Matrix matrix(rows, cols);
    std::uniform_real_distribution<float> uniform(-1, 1);
    for (float& v : matrix.values) v = uniform(random_);
    return matrix;
  }

  // The states of `streams` after one step of all of them as one batch, in their order.
  Matrix Step(const std::vector<std::size_t>& streams) {
    Matrix x(streams.size(), kInputs);
    Matrix states(streams.size(), cell_->state_floats());
    std::vector<float*> pointers;
    for (std::size_t i = 0; i < streams.size(); ++i) {
      std::copy_n(x_.row(streams[i]), kInputs, x.row(i));
      std::copy_n(before_.row(streams[i]), states.cols, states.row(i));
      pointers.push_back(states.row(i));
    }
    cell_->Step(x.data(), pointers.data(), streams.size(), workspace_);
    return states;
  }

  std::mt19937 random_{1};
  std::unique_ptr<Cell> cell_;
  Cell::Workspace workspace_;
  Matrix x_, before_;
};

TEST_P(BatchInvarianceTest, BitsAreTheSameAtEveryBatchSizeAndPlace) {
  Matrix alone(kStreams, cell_->state_floats());
  for (std::size_t s = 0; s < kStreams; ++s) std::ranges::copy(Step({s}).values, alone.row(s));
  std::vector<std::size_t> order(kStreams);
  std::iota(order.begin(), order.end(), 0);
  for (std::size_t batch = 1; batch <= kStreams; batch += kStride) {
    std::ranges::shuffle(order, random_);
    const std::vector<std::size_t> streams(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(batch));
    const Matrix together = Step(streams);
    for (std::size_t i = 0; i < batch; ++i) {
      ASSERT_EQ(std::memcmp(together.row(i), alone.row(streams[i]), together.cols * sizeof(float)), 0)
          << "batch " << batch << ", place " << i;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, BatchInvarianceTest,
                         testing::Combine(testing::Values(CellKind::kGru, CellKind::kLstm),
                                          testing::Values(1, 16, 33, 64)));

}  // namespace
}  // namespace tidegate
