#include "engine/tensor/elementwise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "engine/tensor/tensor_isa.h"

namespace tidegate {
namespace {

std::vector<const TensorKernels*> RunnableKernels() {
  std::vector<const TensorKernels*> all;
  for (const char* const isa : {"portable", "avx2", "avx512", "avx512_bf16"}) {
    const TensorKernels* const kernels = &KernelsUpTo(isa);
    if (all.empty() || all.back() != kernels) all.push_back(kernels);
  }
  return all;
}

double ExactSigmoid(double v) { return 1 / (1 + std::exp(-v)); }

#if defined(TIDEGATE_SLOW)
constexpr std::uint64_t kStride = 2579;
#else
constexpr std::uint64_t kStride = 257;
#endif

// One bit pattern in kStride (a prime, so all exponents and both signs come up), NaNs left out.
std::vector<float> FloatsFromEverywhere() {
  std::vector<float> values;
  for (std::uint64_t bits = 0; bits <= 0xffffffff; bits += kStride) {
    const float v = std::bit_cast<float>(static_cast<std::uint32_t>(bits));
    if (!std::isnan(v)) values.push_back(v);
  }
  return values;
}

template <typename Exact>
double LargestError(const std::vector<float>& inputs, const std::vector<float>& outputs, Exact exact) {
  double worst = 0;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const double error = std::abs(outputs[i] - exact(static_cast<double>(inputs[i])));
    if (!(error <= worst)) worst = error;  // NaN would stay
  }
  return worst;
}

TEST(ElementwiseTest, ActivationsAreWithin3e7OfTheTruthOnEveryInstructionSet) {
  const std::vector<float> inputs = FloatsFromEverywhere();
  for (const TensorKernels* kernels : RunnableKernels()) {
    SCOPED_TRACE(kernels->instruction_set);
    std::vector<float> values = inputs;
    kernels->sigmoid(values.data(), values.size());
    EXPECT_LE(LargestError(inputs, values, ExactSigmoid), 3e-7);
    values = inputs;
    kernels->tanh(values.data(), values.size());
    EXPECT_LE(LargestError(inputs, values, [](double v) { return std::tanh(v); }), 3e-7);
    values = inputs;
    kernels->softplus(values.data(), values.size());
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      const double v = inputs[i];
      if (std::isinf(v)) continue;
      const double exact = std::max(v, 0.0) + std::log1p(std::exp(-std::abs(v)));
      ASSERT_NEAR(values[i], exact, 3e-7 * std::max(1.0, exact)) << v;
    }
  }
}

TEST(ElementwiseTest, AnActivationDoesNotDependOnItsPlace) {
  const std::vector<float> inputs = {-3, -0.5f, 0, 1e-8f, 0.25f, 2, 20};
  for (const TensorKernels* kernels : RunnableKernels()) {
    std::vector<float> together;
    for (int i = 0; i < 7; ++i) together.insert(together.end(), inputs.begin(), inputs.end());
    kernels->tanh(together.data(), together.size());
    for (std::size_t i = 0; i < together.size(); ++i) {
      float alone = inputs[i % inputs.size()];
      kernels->tanh(&alone, 1);
      EXPECT_EQ(together[i], alone) << kernels->instruction_set << " place " << i;
    }
  }
}

}  // namespace
}  // namespace tidegate
