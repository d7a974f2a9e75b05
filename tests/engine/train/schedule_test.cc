#include "engine/train/schedule.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace tidegate {
namespace {

using testing::DoubleNear;
using testing::Pointwise;

std::vector<double> Factors(const Schedule& schedule, std::size_t epochs) {
  std::vector<double> factors;
  for (std::size_t epoch = 0; epoch < epochs; ++epoch) factors.push_back(schedule.Factor(epoch, epochs));
  return factors;
}

TEST(ScheduleTest, FallsAsItsNameSays) {
  const auto near = [](const std::vector<double>& expected) {
    return Pointwise(DoubleNear(1e-12), expected);
  };
  EXPECT_THAT(Factors({.kind = ScheduleKind::kConstant}, 3), near({1, 1, 1}));
  EXPECT_THAT(Factors({.kind = ScheduleKind::kExponential, .hold = 2, .decay = 0.8}, 5),
              near({1, 1, 0.8, 0.64, 0.512}));
  EXPECT_THAT(Factors({.kind = ScheduleKind::kStep, .hold = 2, .decay = 0.5}, 6),
              near({1, 1, 0.5, 0.5, 0.25, 0.25}));
  EXPECT_THAT(Factors({.kind = ScheduleKind::kCosine}, 4),  // cosines of 0, 45, 90 and 135 degrees
              near({1, 0.55 + 0.45 * 0.70710678118654752, 0.55, 0.55 - 0.45 * 0.70710678118654752}));
}

}  // namespace
}  // namespace tidegate
