#include "server/rpc/model_service.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/stream/stream.h"
#include "tests/server/rpc/rpc_fixture.h"

namespace tidegate {
namespace {

using testing::ElementsAre;

using ModelServiceTest = RpcFixture;

TEST_F(ModelServiceTest, ListsWhatTheRepositoryHas) {
  grpc::ClientContext context;
  v1::ListModelsResponse response;
  ASSERT_TRUE(stub_->ListModels(&context, {}, &response).ok());
  ASSERT_EQ(static_cast<std::size_t>(response.model_size()), repository_.models().size());
  for (int i = 0; i < response.model_size(); ++i) {
    EXPECT_EQ(response.model(i).model(), repository_.models()[static_cast<std::size_t>(i)].name);
    EXPECT_EQ(response.model(i).is_default(), response.model(i).model() == "tiny");
  }
}

TEST_F(ModelServiceTest, TheDefaultModelAsItsSpecSays) {
  v1::PushResponse pushed;
  ASSERT_TRUE(Push(Readings({"a", "b"}, 1), pushed).ok());
  grpc::ClientContext context;
  v1::ModelInfo model;
  ASSERT_TRUE(stub_->GetModel(&context, {}, &model).ok());
  const Model& served = *repository_.models()[*repository_.Find("tiny")].model;
  EXPECT_EQ(model.model(), "tiny");
  EXPECT_EQ(model.version(), 1u);
  EXPECT_THAT(model.feature(), ElementsAre("temperature", "humidity"));
  EXPECT_EQ(model.target(), "temperature");
  EXPECT_EQ(model.interval(), pushed.interval());
  EXPECT_EQ(model.horizon(), pushed.horizon());
  EXPECT_THAT(model.quantile(), ElementsAre(0.1f, 0.5f, 0.9f));
  EXPECT_THAT(model.scored_step(), ElementsAre(1, 3));
  EXPECT_EQ(model.warm_up(), 4u);
  EXPECT_EQ(model.bridge_limit(), 3u);
  EXPECT_EQ(model.parameters(), served.parameters());
  EXPECT_EQ(model.stream_bytes(), StreamBytes(served));
  EXPECT_EQ(model.streams(), 2u);
  EXPECT_EQ(model.weights_sha256(), served.spec().weights_sha256);
}

TEST_F(ModelServiceTest, AModelThatIsNotServedIsNotFound) {
  grpc::ClientContext context;
  v1::GetModelRequest request;
  request.set_model("missing");
  v1::ModelInfo model;
  const grpc::Status status = stub_->GetModel(&context, request, &model);
  EXPECT_EQ(status.error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_THAT(status.error_message(), testing::HasSubstr("missing"));
}

}  // namespace
}  // namespace tidegate
