#include "clients/cli/server_error.h"

#include <gtest/gtest.h>

#include "compat/error_details.pb.h"

namespace tidegate {
namespace {

TEST(ServerErrorTest, MessageReasonFieldAndDelayAreShown) {
  google::rpc::Status rich;
  google::rpc::ErrorInfo info;
  info.set_reason("STREAMS_FULL");
  rich.add_details()->PackFrom(info);
  google::rpc::BadRequest request;
  request.add_field_violations()->set_field("new_stream_id");
  rich.add_details()->PackFrom(request);
  google::rpc::RetryInfo retry;
  retry.mutable_retry_delay()->set_nanos(100'000'000);
  rich.add_details()->PackFrom(retry);
  const absl::Status status =
      FromServer({grpc::StatusCode::RESOURCE_EXHAUSTED, "no room", rich.SerializeAsString()}, "h:1");
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(
      status.message(),
      "the server h:1 says: no room (STREAMS_FULL, field new_stream_id, may be tried again after 100ms)");
}

TEST(ServerErrorTest, AnErrorWithoutDetailsIsItsMessage) {
  EXPECT_EQ(FromServer({grpc::StatusCode::UNAVAILABLE, "gone"}, "h:1").message(),
            "the server h:1 says: gone");
  EXPECT_EQ(FromServer({grpc::StatusCode::UNAVAILABLE, "gone", "\xff"}, "h:1").message(),
            "the server h:1 says: gone");
  EXPECT_TRUE(FromServer(grpc::Status::OK, "h:1").ok());
}

}  // namespace
}  // namespace tidegate
