#include "clients/cli/load_answer.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tidegate/v1/forecaster.pb.h"

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;

grpc::ByteBuffer Bytes(const v1::PushResponse& response, std::size_t piece) {
  const std::string text = response.SerializeAsString();
  std::vector<grpc::Slice> pieces;
  for (std::size_t i = 0; i < text.size(); i += piece) pieces.emplace_back(text.substr(i, piece));
  return {pieces.data(), pieces.size()};
}

TEST(LoadAnswerTest, CountsOutcomesByNameHoweverTheBytesAreCut) {
  v1::PushResponse applied;
  for (int i = 0; i < 3; ++i) applied.add_outcome(v1::OUTCOME_APPLIED);
  applied.add_forecast(1.5f);
  v1::PushResponse mixed;
  for (const auto outcome : {v1::OUTCOME_LATE, v1::OUTCOME_APPLIED, v1::OUTCOME_INVALID}) {
    mixed.add_outcome(outcome);
    mixed.add_reason(outcome == v1::OUTCOME_INVALID ? v1::REASON_STREAM_ID : v1::REASON_UNSPECIFIED);
  }
  for (const std::size_t piece : {1u, 2u, 4u, 100u}) {
    std::map<std::string, std::uint64_t> outcomes;
    for (const v1::PushResponse& response : {applied, mixed}) {
      grpc::ByteBuffer bytes = Bytes(response, piece);
      EXPECT_TRUE(CountOutcomes(bytes, 3, outcomes).ok());
    }
    EXPECT_THAT(outcomes, ElementsAre(Pair("APPLIED", 4), Pair("INVALID (STREAM_ID)", 1), Pair("LATE", 1)));
  }
}

TEST(LoadAnswerTest, AnAnswerToOtherReadingsIsAnError) {
  v1::PushResponse response;
  response.add_outcome(v1::OUTCOME_APPLIED);
  std::map<std::string, std::uint64_t> outcomes;
  grpc::ByteBuffer bytes = Bytes(response, 100);
  EXPECT_THAT(std::string(CountOutcomes(bytes, 2, outcomes).message()),
              HasSubstr("the answer to 2 readings has 1 outcomes"));
}

}  // namespace
}  // namespace tidegate
