#include "engine/tune/recommendation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <ostream>
#include <string>

#include "engine/model/model.h"

namespace tidegate {
namespace {

using testing::Contains;
using testing::Field;
using testing::HasSubstr;

// As if a parameter took a nanosecond, for each reading of a window.
double NanosecondAParameter(const ModelSpec& spec) {
  std::size_t count = 0;
  for (const auto& [name, tensor] : Model::ZeroParameters(spec)) count += tensor.values.size();
  return 1e-9 * static_cast<double>(count * std::max<std::size_t>(spec.window, 1));
}

DataProfile WithMemory(std::size_t memory) {
  return {.interval_ns = 1'000'000'000,
          .readings = 20'000,
          .memory_autocorrelation = memory,
          .memory_probe = memory,
          .longest_probe = 512,
          .gain = 0.5};
}

struct Case {
  const char* name;
  std::size_t memory;
  double local_pattern, missing;
  bool bounded_window;
  double streams_per_core;
  Family family;
  std::size_t context;
};
void PrintTo(const Case& one, std::ostream* out) { *out << one.name; }

class FamilyTest : public testing::TestWithParam<Case> {};

TEST_P(FamilyTest, IsThatOfTheRule) {
  const Case& one = GetParam();
  DataProfile profile = WithMemory(one.memory);
  profile.local_pattern = one.local_pattern;
  profile.missing = one.missing;
  const Recommendation shape =
      Recommend(profile, {.streams_per_core = one.streams_per_core, .bounded_window = one.bounded_window},
                NanosecondAParameter);
  EXPECT_STREQ(FamilyName(shape.family), FamilyName(one.family));
  EXPECT_EQ(shape.context, one.context);
  EXPECT_EQ(shape.kernel > 0, one.family == Family::kCnnGru);
  EXPECT_TRUE(CheckSpec(UntrainedSpec(profile, shape)).ok());
  EXPECT_TRUE(shape.within_budget);
}

INSTANTIATE_TEST_SUITE_P(
    Profiles, FamilyTest,
    testing::Values(Case{"short", 8, 0, 0, false, 0, Family::kGru, 16},
                    Case{"just_short", 64, 0, 0, false, 0, Family::kGru, 64},
                    Case{"long", 128, 0, 0, false, 0, Family::kLstm, 128},
                    Case{"described", 300, 0, 0, false, 0, Family::kLstm, 512},
                    Case{"very_long", 2'000, 0, 0, false, 0, Family::kLstm, 512},
                    Case{"local_and_long", 128, 0.2, 0, false, 0, Family::kCnnGru, 128},
                    Case{"local_within_filters", 16, 0.2, 0, false, 0, Family::kGru, 16},
                    Case{"local_but_broken", 128, 0.2, 0.2, false, 0, Family::kLstm, 128},
                    Case{"window", 300, 0.2, 0, true, 0, Family::kBidirectionalGru, 128},
                    Case{"long_but_constrained", 128, 0, 0, false, 100'000, Family::kGru, 128},
                    Case{"window_but_constrained", 256, 0, 0, true, 100'000, Family::kGru, 256}),
    [](const auto& test) { return std::string(test.param.name); });

TEST(RecommendationTest, UnitsGrowWithTheReadingsAndNotWithNoise) {
  DataProfile profile = WithMemory(8);
  std::size_t before = 0;
  for (const std::size_t readings : {100u, 700u, 3'000u, 1'000'000u}) {
    profile.readings = readings;
    const std::size_t units = Recommend(profile, {}, NanosecondAParameter).units;
    EXPECT_GT(units, before) << readings;
    before = units;
  }
  EXPECT_EQ(before, 128u);
  profile.gain = 0.01;
  EXPECT_EQ(Recommend(profile, {}, NanosecondAParameter).units, 16u);
}

TEST(RecommendationTest, UnitsShrinkUntilTheBudgetIsKeptAndItIsSaidWhenNoneKeepsIt) {
  const DataProfile profile = WithMemory(8);
  const Recommendation free = Recommend(profile, {}, NanosecondAParameter);
  EXPECT_EQ(free.allowed_seconds, std::numeric_limits<double>::infinity());
  const Recommendation tight = Recommend(profile, {.streams_per_core = 100'000}, NanosecondAParameter);
  EXPECT_DOUBLE_EQ(tight.allowed_seconds, 0.7 / 100'000 - 0.35e-6);
  EXPECT_LT(tight.units, free.units);
  EXPECT_LE(tight.step_seconds, tight.allowed_seconds);
  EXPECT_THAT(tight.reasons, Contains(Field(&ChoiceReason::because, HasSubstr("may take 6.65 us"))));

  const Recommendation none = Recommend(profile, {.latency = absl::Microseconds(1)}, NanosecondAParameter);
  EXPECT_DOUBLE_EQ(none.allowed_seconds, 0.5e-6 / kStepsTogether);
  EXPECT_FALSE(none.within_budget);
  EXPECT_EQ(none.units, 8u);
  EXPECT_THAT(none.reasons, Contains(Field(&ChoiceReason::choice, "not kept")));
}

TEST(RecommendationTest, ASeasonBecomesACycleAndEveryChoiceNamesItsRule) {
  DataProfile profile = WithMemory(8);
  EXPECT_EQ(Recommend(profile, {}, NanosecondAParameter).cycle, 0u);
  profile.season = 1'440;
  profile.level = true;
  const Recommendation shape = Recommend(profile, {}, NanosecondAParameter);
  EXPECT_EQ(shape.cycle, 1'440u);
  EXPECT_EQ(shape.reasons.size(), 5u);  // family, context, inputs, units, cycle
  EXPECT_TRUE(shape.level_inputs);
  for (const ChoiceReason& reason : shape.reasons) {
    EXPECT_FALSE(reason.choice.empty() || reason.because.empty() || reason.rule.empty()) << reason.what;
  }
}

}  // namespace
}  // namespace tidegate
