#pragma once

#include <grpcpp/create_channel.h>
#include <grpcpp/security/credentials.h>
#include <gtest/gtest.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "engine/model/model_file.h"
#include "server/metrics/metrics.h"
#include "server/models/repository.h"
#include "server/rpc/rpc_server.h"
#include "tests/support/tiny_model.h"
#include "tidegate/v1/forecaster.grpc.pb.h"

namespace tidegate {

inline constexpr std::int64_t kSecond = 1'000'000'000;

// A server in this process on a free port, with the models "tiny" (the default) and "other", and a client of
// it.
class RpcFixture : public testing::Test {
 protected:
  explicit RpcFixture(std::size_t shards = 1) : page_({}, {{.name = "other"}, {.name = "tiny"}}, shards) {}

  void SetUp() override {
    const testing::TestInfo* const test = testing::UnitTest::GetInstance()->current_test_info();
    folder_ = std::filesystem::path(testing::TempDir()) /
              (std::string("rpc_") + test->test_suite_name() + "_" + test->name());
    std::filesystem::remove_all(folder_);
    for (const char* name : {"tiny", "other"}) {
      ModelSpec spec = Spec();
      spec.name = name;
      ASSERT_TRUE(WriteModel(folder_ / name / "1", spec, TinyTensors(spec)).ok());
    }
    auto repository = Repository::Load(folder_, "tiny");
    ASSERT_TRUE(repository.ok()) << repository.status();
    repository_ = *std::move(repository);
    auto server = RpcServer::Start(ServerOptions(), repository_, page_);
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
    stub_ = v1::Forecaster::NewStub(NewChannel());
  }
  void TearDown() override {
    server_.reset();
    std::filesystem::remove_all(folder_);
  }

  virtual ModelSpec Spec() const { return TinySpec(); }
  virtual RpcServer::Options ServerOptions() const {
    RpcServer::Options options;
    options.models = folder_;
    options.max_streams = 1000;
    return options;
  }

  // A connection of its own.
  std::shared_ptr<grpc::Channel> NewChannel(grpc::ChannelArguments arguments = {}) const {
    arguments.SetInt(GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL, 1);
    return grpc::CreateCustomChannel(server_->address(), grpc::InsecureChannelCredentials(), arguments);
  }

  // One reading of each stream at second t; values depend on t only.
  static v1::PushRequest Readings(const std::vector<std::string>& ids, int t) {
    v1::PushRequest request;
    for (const std::string& id : ids) {
      request.add_stream_id(id);
      AddReading(request, t);
    }
    return request;
  }
  static void AddReading(v1::PushRequest& request, int t) {
    request.add_timestamp(t * kSecond);
    request.add_value(20 + static_cast<float>(t % 7));
    request.add_value(50 + static_cast<float>(t % 5));
  }

  grpc::Status Push(const v1::PushRequest& request, v1::PushResponse& response) {
    grpc::ClientContext context;
    return stub_->Push(&context, request, &response);
  }

  // The answer of a request that is right.
  v1::PushResponse Pushed(const v1::PushRequest& request) {
    v1::PushResponse response;
    const grpc::Status status = Push(request, response);
    EXPECT_TRUE(status.ok()) << status.error_message();
    return response;
  }

  template <typename Method, typename Request, typename Response>
  grpc::Status Call(Method method, const Request& request, Response& response) {
    grpc::ClientContext context;
    return ((*stub_).*method)(&context, request, &response);
  }

  std::uint64_t Applied() const {
    return metrics_.models[1].readings[1].value();
  }  // of "tiny"; "other" comes first

  std::filesystem::path folder_;
  Repository repository_;
  Metrics page_;
  ShardMetrics& metrics_ = page_.shard(0);
  std::unique_ptr<RpcServer> server_;
  std::unique_ptr<v1::Forecaster::Stub> stub_;
};

}  // namespace tidegate
