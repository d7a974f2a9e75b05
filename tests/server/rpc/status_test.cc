#include "server/rpc/status.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "compat/error_details.pb.h"
#include "server/fault/fault.h"
#include "tests/server/rpc/rpc_fixture.h"

namespace tidegate {
namespace {

using testing::HasSubstr;

// The details of one kind in a failed call's status; its default if there is none.
template <typename Details>
Details Find(const grpc::Status& status) {
  google::rpc::Status rich;
  EXPECT_TRUE(rich.ParseFromString(status.error_details()));
  EXPECT_EQ(rich.code(), status.error_code());
  EXPECT_EQ(rich.message(), status.error_message());
  Details details;
  for (const auto& any : rich.details()) {
    if (any.Is<Details>()) any.UnpackTo(&details);
  }
  return details;
}

std::string ReasonOf(const grpc::Status& status) { return Find<google::rpc::ErrorInfo>(status).reason(); }
std::string FieldOf(const grpc::Status& status) {
  const auto request = Find<google::rpc::BadRequest>(status);
  return request.field_violations().empty() ? "" : request.field_violations(0).field();
}

TEST(StatusTest, ARefusalSaysReasonFieldAndDescription) {
  const grpc::Status status = ToGrpcStatus(Refusal(Fault::kInvalidField, "horizon", "9 steps"));
  EXPECT_EQ(status.error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_EQ(status.error_message(), "horizon: 9 steps");
  EXPECT_EQ(ReasonOf(status), "INVALID_FIELD");
  EXPECT_EQ(Find<google::rpc::ErrorInfo>(status).domain(), "tidegate");
  const auto request = Find<google::rpc::BadRequest>(status);
  ASSERT_EQ(request.field_violations_size(), 1);
  EXPECT_EQ(request.field_violations(0).field(), "horizon");
  EXPECT_EQ(request.field_violations(0).description(), "9 steps");
  EXPECT_FALSE(Find<google::rpc::RetryInfo>(status).has_retry_delay());
}

TEST(StatusTest, WhatMayBeTriedAgainSaysWhen) {
  const auto overloaded = Find<google::rpc::RetryInfo>(ToGrpcStatus(Refusal(Fault::kOverloaded, "", "full")));
  EXPECT_EQ(overloaded.retry_delay().seconds(), 0);
  EXPECT_EQ(overloaded.retry_delay().nanos(), 100'000'000);
  const auto full = Find<google::rpc::RetryInfo>(ToGrpcStatus(Refusal(Fault::kStreamsFull, "", "full")));
  EXPECT_EQ(full.retry_delay().seconds(), 60);
  EXPECT_TRUE(Find<google::rpc::RetryInfo>(ToGrpcStatus(absl::UnavailableError("x"))).has_retry_delay());
}

TEST(StatusTest, AFailureWithoutAFaultHasItsCodeAsReason) {
  EXPECT_EQ(ReasonOf(ToGrpcStatus(absl::InternalError("bug"))), "INTERNAL");
  EXPECT_EQ(FieldOf(ToGrpcStatus(absl::InternalError("bug"))), "");
  EXPECT_TRUE(ToGrpcStatus(absl::OkStatus()).ok());
}

TEST(StatusTest, HostileTextIsUtf8AndFitsTheTrailers) {
  const grpc::Status status = ToGrpcStatus(Refusal(Fault::kInvalidField, "f", std::string(100'000, '\xff')));
  EXPECT_THAT(status.error_message(), HasSubstr("\xef\xbf\xbd"));
  EXPECT_LE(status.error_message().size(), 1024u);
  EXPECT_LT(status.error_details().size(), 2500u);
  EXPECT_EQ(FieldOf(status), "f");
}

using RichErrorTest = RpcFixture;

TEST_F(RichErrorTest, EveryKindOfCallCarriesThem) {
  v1::PushResponse response;
  v1::PushRequest request = Readings({"a"}, 1);
  request.add_value(1);
  EXPECT_EQ(FieldOf(Push(request, response)), "value");
  request = Readings({"a"}, 1);
  request.set_model("nobody");
  const grpc::Status unknown = Push(request, response);
  EXPECT_EQ(ReasonOf(unknown), "MODEL_NOT_FOUND");
  EXPECT_EQ(FieldOf(unknown), "model");

  grpc::ClientContext stream_context;
  const auto stream = stub_->Stream(&stream_context);
  ASSERT_TRUE(stream->Write(request));
  EXPECT_FALSE(stream->Read(&response));
  EXPECT_EQ(ReasonOf(stream->Finish()), "MODEL_NOT_FOUND");

  grpc::ClientContext get_context;
  v1::GetStreamRequest get;
  v1::StreamInfo info;
  get.set_stream_id("nobody");
  const grpc::Status missing = stub_->GetStream(&get_context, get, &info);
  EXPECT_EQ(ReasonOf(missing), "STREAM_NOT_FOUND");
  EXPECT_EQ(FieldOf(missing), "stream_id");

  grpc::ClientContext import_context;
  v1::ImportStreamRequest import;
  import.mutable_state()->set_model("nobody");
  EXPECT_EQ(FieldOf(stub_->ImportStream(&import_context, import, &info)), "state.model");

  ASSERT_TRUE(Push(Readings({"a"}, 1), response).ok());
  grpc::ClientContext fork_context;
  v1::ForkStreamRequest fork;
  fork.set_stream_id("a");
  fork.set_new_stream_id("a");
  EXPECT_EQ(FieldOf(stub_->ForkStream(&fork_context, fork, &info)), "new_stream_id");
}

// What a peer with gRPC's default limits reads of the longest message and of one with bytes that are no text.
TEST_F(RichErrorTest, ALongModelNameIsCutBetweenCharacters) {
  v1::PushRequest request = Readings({"a"}, 1);
  std::string name;
  for (int i = 0; i < 100'000; ++i) name += "\xe6\xb5\xb7";
  request.set_model(name);
  v1::PushResponse response;
  const grpc::Status status = Push(request, response);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND) << status.error_message();
  EXPECT_EQ(ReasonOf(status), "MODEL_NOT_FOUND");
}

}  // namespace
}  // namespace tidegate
