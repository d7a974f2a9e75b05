#include "engine/tensor/elementwise.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "engine/tensor/elementwise_isa.h"

namespace tidegate {
namespace {

std::vector<const ElementwiseKernels*> RunnableKernels() {
  std::vector<const ElementwiseKernels*> all = {&portable::kKernels};
#if defined(__x86_64__)
  const std::string best = InstructionSet();
  if (best != "portable") all.push_back(&avx2::kKernels);
  if (best == "avx512") all.push_back(&avx512::kKernels);
#endif
  return all;
}

double ExactSigmoid(double v) { return 1 / (1 + std::exp(-v)); }

// Every 257th bit pattern (a prime, so all exponents and both signs come up), NaNs left out.
std::vector<float> FloatsFromEverywhere() {
  std::vector<float> values;
  for (std::uint64_t bits = 0; bits <= 0xffffffff; bits += 257) {
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
  for (const ElementwiseKernels* kernels : RunnableKernels()) {
    SCOPED_TRACE(kernels->instruction_set);
    std::vector<float> values = inputs;
    kernels->sigmoid(values.data(), values.size());
    EXPECT_LE(LargestError(inputs, values, ExactSigmoid), 3e-7);
    values = inputs;
    kernels->tanh(values.data(), values.size());
    EXPECT_LE(LargestError(inputs, values, [](double v) { return std::tanh(v); }), 3e-7);
  }
}

TEST(ElementwiseTest, GatePassesFollowTheirEquations) {
  std::mt19937 random(1);
  std::uniform_real_distribution<float> uniform(-3, 3);
  for (const ElementwiseKernels* kernels : RunnableKernels()) {
    for (const std::size_t units : {1, 7, 16, 33}) {
      SCOPED_TRACE(std::string(kernels->instruction_set) + " units " + std::to_string(units));
      std::vector<float> x(4 * units);
      std::vector<float> u(4 * units);
      std::vector<float> h(units);
      std::vector<float> c(units);
      for (auto* values : {&x, &u, &h, &c}) {
        for (float& v : *values) v = uniform(random);
      }
      std::vector<float> gru = h;
      kernels->gru_gates(x.data(), u.data(), gru.data(), units);
      std::vector<float> lstm = h;
      std::vector<float> cell = c;
      kernels->lstm_gates(x.data(), u.data(), lstm.data(), cell.data(), units);
      for (std::size_t j = 0; j < units; ++j) {
        const auto sum = [&](std::size_t gate) { return double{x[gate * units + j]} + u[gate * units + j]; };
        const double r = ExactSigmoid(sum(0));
        const double z = ExactSigmoid(sum(1));
        const double n = std::tanh(x[2 * units + j] + r * u[2 * units + j]);
        EXPECT_NEAR(gru[j], (1 - z) * n + z * h[j], 3e-6);
        const double s = ExactSigmoid(sum(1)) * c[j] + ExactSigmoid(sum(0)) * std::tanh(sum(2));
        EXPECT_NEAR(cell[j], s, 3e-6);
        EXPECT_NEAR(lstm[j], ExactSigmoid(sum(3)) * std::tanh(s), 3e-6);
      }
    }
  }
}

}  // namespace
}  // namespace tidegate
