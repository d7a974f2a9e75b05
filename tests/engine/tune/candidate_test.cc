#include "engine/tune/candidate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "engine/tune/step_time.h"
#include "engine/tune/trial.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

TrainOptions Base() {
  TrainOptions options;
  options.interval_ns = 1'000'000'000;
  options.features = {"temperature", "humidity"};
  options.cycle = 24;
  return options;
}

TEST(CandidateTest, EveryFamilyHasANetworkThatCanBeBuilt) {
  for (const Family family : kFamilies) {
    EXPECT_EQ(FamilyOf(FamilyName(family)), family);
    const auto model = UntrainedModel(SpecOf(TrialOptions(Base(), DefaultOf(family))));
    EXPECT_TRUE(model.ok()) << FamilyName(family) << ": " << model.status();
  }
  EXPECT_EQ(FamilyOf("transformer"), std::nullopt);
}

TEST(CandidateTest, EveryPointOfTheSpaceCanBeBuilt) {
  Random random(1);
  std::set<std::string> texts;
  for (int i = 0; i < 300; ++i) {
    const Candidate candidate = DrawCandidate(random);
    const auto model = UntrainedModel(SpecOf(TrialOptions(Base(), candidate)));
    ASSERT_TRUE(model.ok()) << TextOf(candidate) << ": " << model.status();
    texts.insert(TextOf(candidate));
  }
  EXPECT_GT(texts.size(), 250U);
}

TEST(CandidateTest, AMutationIsAnotherNetworkOrAnotherTraining) {
  Random random(2);
  Candidate candidate = DefaultOf(Family::kGru);
  std::set<Family> families;
  for (int i = 0; i < 300; ++i) {
    const Candidate next = Mutate(candidate, random);
    ASSERT_NE(TextOf(next), TextOf(candidate));
    ASSERT_TRUE(UntrainedModel(SpecOf(TrialOptions(Base(), next))).ok()) << TextOf(next);
    families.insert(next.family);
    candidate = next;
  }
  EXPECT_EQ(families.size(), std::size(kFamilies));
}

TEST(CandidateTest, JsonSaysAllOfIt) {
  Random random(3);
  for (int i = 0; i < 100; ++i) {
    const Candidate candidate = DrawCandidate(random);
    const auto parsed = ParseCandidate(CandidateJson(candidate));
    ASSERT_TRUE(parsed.ok()) << parsed.status();
    ASSERT_EQ(*parsed, candidate);
  }
  for (const char* text : {"", "[]", "{}", "{\"family\":\"transformer\"}", "{\"family\":3}"}) {
    EXPECT_THAT(ParseCandidate(text).status().message(), HasSubstr("is no candidate of a search")) << text;
  }
}

}  // namespace
}  // namespace tidegate
