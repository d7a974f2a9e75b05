#include "server/fault/fault.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

namespace tidegate {
namespace {

TEST(FaultTest, ARefusalHasTheFaultsCodeAndSaysFieldAndDescription) {
  const absl::Status status = Refusal(Fault::kStreamExists, "stream_id", "there is a stream 'a' already");
  EXPECT_EQ(status.code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(status.message(), "stream_id: there is a stream 'a' already");
  const auto details = FaultOf(status);
  ASSERT_TRUE(details.has_value());
  EXPECT_EQ(details->fault, Fault::kStreamExists);
  EXPECT_EQ(details->field, "stream_id");
}

TEST(FaultTest, ARefusalWithoutAFieldIsItsDescription) {
  const absl::Status status = Refusal(Fault::kMalformedRequest, "", "no message");
  EXPECT_EQ(status.message(), "no message");
  EXPECT_EQ(FaultOf(status)->fault, Fault::kMalformedRequest);
  EXPECT_EQ(FaultOf(status)->field, "");
  EXPECT_FALSE(FaultOf(absl::InternalError("no message")).has_value());
}

TEST(FaultTest, ARefusalWithinAFieldNamesThePath) {
  const absl::Status status = RefusalWithin("state", Refusal(Fault::kModelNotFound, "model", "no model 'x'"));
  EXPECT_EQ(status, Refusal(Fault::kModelNotFound, "state.model", "no model 'x'"));
  EXPECT_EQ(RefusalWithin("state", Refusal(Fault::kInvalidField, "", "bad")),
            Refusal(Fault::kInvalidField, "state", "bad"));
  EXPECT_EQ(RefusalWithin("state", absl::InternalError("x")), absl::InternalError("x"));
}

TEST(FaultTest, EachFaultHasAReasonOfItsOwnAndADelayWhereClientsMayTryAgain) {
  std::set<std::string> reasons;
  for (int i = 0; i < static_cast<int>(Fault::kCount); ++i) {
    const FaultDescription fault = DescribeFault(static_cast<Fault>(i));
    EXPECT_THAT(fault.reason, testing::MatchesRegex("[A-Z_]+"));
    EXPECT_TRUE(reasons.insert(fault.reason).second) << fault.reason;
    const bool again =
        fault.code == absl::StatusCode::kResourceExhausted || fault.code == absl::StatusCode::kUnavailable;
    EXPECT_EQ(fault.retry_delay != absl::InfiniteDuration(), again) << fault.reason;
  }
}

}  // namespace
}  // namespace tidegate
