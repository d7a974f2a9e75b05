// A stream's bits are the same at every batch size from 1 to 1,024, at every place in the batch, and whatever
// number of threads share the streams out among them.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <numeric>
#include <random>
#include <string>
#include <thread>
#include <tuple>
#include <vector>

#include "engine/layers/make_layer.h"
#include "tests/engine/layers/layer_problem.h"

namespace tidegate {
namespace {

constexpr std::size_t kInputs = 3;
constexpr std::size_t kWindow = 3;  // readings of a bidirectional layer's window
#if defined(TIDEGATE_SLOW)
constexpr std::size_t kStreams = 193, kEach = 32,
                      kStride = 61;  // sanitizers and emulators are slow: some of the sizes
#else
constexpr std::size_t kStreams = 1024, kEach = 256,
                      kStride = 7;  // beyond, blocks are whole ones and the same rests
#endif

std::vector<std::size_t> Sizes() {
  std::vector<std::size_t> sizes;
  for (std::size_t size = 1; size <= kStreams; size += size < kEach ? 1 : kStride) sizes.push_back(size);
  sizes.push_back(kStreams);
  return sizes;
}

class BatchInvarianceTest : public testing::TestWithParam<std::tuple<LayerFamily, std::size_t, Precision>> {
 protected:
  BatchInvarianceTest() {
    const auto& [family, units, precision] = GetParam();
    steps_ = family.spec.bidirectional ? kWindow : 1;
    problem_ = Rounded(MakeProblem(family, kInputs, units, kStreams, steps_, 1), precision);
    if (problem_.spec.bidirectional) {
      window_ = MakeBidirectional(problem_.spec, problem_.parameters, precision);
    } else {
      layer_ = MakeLayer(problem_.spec, problem_.parameters, precision);
    }
  }

  std::size_t ResultFloats() const { return OutputsOf(problem_.spec) * steps_ + problem_.state.cols; }

  // Outputs and new states of `streams` after one step (or window) of all of them as one batch, in their
  // order.
  Matrix Run(const std::vector<std::size_t>& streams, Scratch& scratch) const {
    const std::size_t batch = streams.size(), width = OutputsOf(problem_.spec), floats = problem_.state.cols;
    Matrix result(batch, ResultFloats());
    std::vector<const float*> x(batch * steps_), y(batch * steps_), summary(batch);
    std::vector<float*> states;
    for (std::size_t i = 0; i < batch; ++i) {
      std::copy_n(problem_.state.row(streams[i]), floats, result.row(i));
      states.push_back(result.row(i));
      for (std::size_t t = 0; t < steps_; ++t) x[t * batch + i] = problem_.x.row(t * kStreams + streams[i]);
    }
    scratch.Reset();
    if (window_ != nullptr) {
      window_->Run(x.data(), steps_, batch, scratch, y.data(), summary.data());
    } else {
      layer_->Step(x.data(), states.data(), y.data(), batch, scratch);
    }
    for (std::size_t i = 0; i < batch; ++i) {
      for (std::size_t t = 0; t < steps_; ++t) {
        std::copy_n(y[t * batch + i], width, result.row(i) + floats + t * width);
      }
    }
    return result;
  }

  LayerProblem problem_;
  std::size_t steps_ = 1;
  std::unique_ptr<const Layer> layer_;
  std::unique_ptr<const Bidirectional> window_;
};

TEST_P(BatchInvarianceTest, BitsAreTheSameAtEveryBatchSizeAndPlace) {
  Scratch scratch;
  std::mt19937 random(1);
  Matrix alone(kStreams, ResultFloats());
  for (std::size_t s = 0; s < kStreams; ++s) std::ranges::copy(Run({s}, scratch).values, alone.row(s));
  std::vector<std::size_t> order(kStreams);
  std::iota(order.begin(), order.end(), 0);
  for (const std::size_t batch : Sizes()) {
    std::ranges::shuffle(order, random);
    const std::vector<std::size_t> streams(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(batch));
    const Matrix together = Run(streams, scratch);
    for (std::size_t i = 0; i < batch; ++i) {
      ASSERT_EQ(std::memcmp(together.row(i), alone.row(streams[i]), together.cols * sizeof(float)), 0)
          << "batch " << batch << ", place " << i;
    }
  }
}

TEST_P(BatchInvarianceTest, BitsAreTheSameWithEveryNumberOfThreads) {
  Scratch scratch;
  std::vector<std::size_t> all(kStreams);
  std::iota(all.begin(), all.end(), 0);
  const Matrix expected = Run(all, scratch);
  for (const std::size_t threads : {2, 3}) {
    std::vector<Matrix> parts(threads);
    std::vector<std::thread> workers;
    for (std::size_t w = 0; w < threads; ++w) {
      workers.emplace_back([&, w] {
        Scratch own;
        const auto at = [&](std::size_t i) {
          return all.begin() + static_cast<std::ptrdiff_t>(i * kStreams / threads);
        };
        parts[w] = Run({at(w), at(w + 1)}, own);
      });
    }
    std::vector<float> joined;
    for (std::size_t w = 0; w < threads; ++w) {
      workers[w].join();
      joined.insert(joined.end(), parts[w].values.begin(), parts[w].values.end());
    }
    ASSERT_EQ(std::memcmp(joined.data(), expected.data(), joined.size() * sizeof(float)), 0) << threads;
  }
}

std::string NameOf(const testing::TestParamInfo<BatchInvarianceTest::ParamType>& shape) {
  const auto& [family, units, precision] = shape.param;
  return family.name + "_" + std::to_string(units) + "_" + PrecisionName(precision);
}

INSTANTIATE_TEST_SUITE_P(Shapes, BatchInvarianceTest,
                         testing::Combine(testing::ValuesIn(LayerFamilies()), testing::Values(1, 16, 33),
                                          testing::Values(Precision::kF32)),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(LesserWeights, BatchInvarianceTest,
                         testing::Combine(testing::ValuesIn(FusedFamilies()), testing::Values(33),
                                          testing::Values(Precision::kBf16, Precision::kInt8)),
                         NameOf);

}  // namespace
}  // namespace tidegate
