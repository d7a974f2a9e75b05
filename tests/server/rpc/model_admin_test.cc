// Models that come and go under load.
#include "server/rpc/model_admin.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "tests/server/rpc/rpc_fixture.h"

namespace tidegate {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class ModelAdminTest : public RpcFixture {
 protected:
  ModelAdminTest() : RpcFixture(2) {}

  void Write(const std::string& name, int version, unsigned seed) {
    ModelSpec spec = TinySpec();
    spec.name = name;
    ASSERT_TRUE(WriteModel(folder_ / name / absl::StrCat(version), spec, TinyTensors(spec, seed)).ok());
  }
  grpc::Status Load(const std::string& name, std::uint64_t version = 0) {
    grpc::ClientContext context;
    v1::LoadModelRequest request;
    request.set_model(name);
    request.set_version(version);
    return stub_->LoadModel(&context, request, &model_);
  }
  grpc::Status Unload(const std::string& name, bool delete_streams = false) {
    grpc::ClientContext context;
    v1::UnloadModelRequest request;
    request.set_model(name);
    request.set_delete_streams(delete_streams);
    return stub_->UnloadModel(&context, request, &unloaded_);
  }
  grpc::Status SetDefault(const std::string& name) {
    grpc::ClientContext context;
    v1::SetDefaultModelRequest request;
    v1::SetDefaultModelResponse response;
    request.set_model(name);
    return stub_->SetDefaultModel(&context, request, &response);
  }
  std::vector<std::string> Names() {
    grpc::ClientContext context;
    v1::ListModelsResponse response;
    EXPECT_TRUE(stub_->ListModels(&context, {}, &response).ok());
    std::vector<std::string> names;
    names.reserve(static_cast<std::size_t>(response.model_size()));
    for (const v1::ModelInfo& model : response.model()) names.push_back(model.model());
    return names;
  }
  grpc::Status PushTo(const std::string& model, const std::vector<std::string>& ids, int t) {
    v1::PushRequest request = Readings(ids, t);
    request.set_model(model);
    return Push(request, pushed_);
  }

  v1::ModelInfo model_;
  v1::UnloadModelResponse unloaded_;
  v1::PushResponse pushed_;
};

TEST_F(ModelAdminTest, ALoadedModelIsServedAndAnUnloadedOneIsNot) {
  Write("third", 1, 5);
  Write("third", 2, 6);
  EXPECT_EQ(PushTo("third", {"a"}, 1).error_code(), grpc::StatusCode::NOT_FOUND);
  ASSERT_TRUE(Load("third").ok());
  EXPECT_EQ(model_.model(), "third");
  EXPECT_EQ(model_.version(), 2u) << "the highest";
  EXPECT_THAT(Names(), ElementsAre("other", "third", "tiny"));
  ASSERT_TRUE(PushTo("third", {"a", "b", "c", "d", "e"}, 1).ok());
  EXPECT_THAT(pushed_.outcome(), testing::Each(v1::OUTCOME_APPLIED));

  EXPECT_TRUE(Load("third", 2).ok()) << "it is served already";
  const grpc::Status other_version = Load("third", 1);
  EXPECT_EQ(other_version.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(other_version.error_message(), HasSubstr("unload it first"));

  const grpc::Status has_streams = Unload("third");
  EXPECT_EQ(has_streams.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(has_streams.error_message(), HasSubstr("5 streams"));
  EXPECT_TRUE(PushTo("third", {"a"}, 2).ok()) << "it is as it was";
  EXPECT_THAT(pushed_.steps(), ElementsAre(2u));

  ASSERT_TRUE(Unload("third", /*delete_streams=*/true).ok());
  EXPECT_EQ(unloaded_.deleted_streams(), 5u);
  EXPECT_THAT(Names(), ElementsAre("other", "tiny"));
  EXPECT_EQ(PushTo("third", {"a"}, 3).error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_TRUE(PushTo("tiny", {"a"}, 1).ok()) << "the id is free again";
  EXPECT_THAT(pushed_.outcome(), ElementsAre(v1::OUTCOME_APPLIED));

  ASSERT_TRUE(Load("third", 1).ok());
  EXPECT_EQ(model_.version(), 1u);
  EXPECT_EQ(model_.streams(), 0u);
}

TEST_F(ModelAdminTest, WhatCannotBeLoadedChangesNothing) {
  EXPECT_EQ(Load("absent").error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Load("tiny", 9).error_code(), grpc::StatusCode::NOT_FOUND);
  for (const char* name : {"", "../tiny", "Tiny", ".hidden", "a/b", "a%2e", "-a"}) {
    EXPECT_EQ(Load(name).error_code(), grpc::StatusCode::INVALID_ARGUMENT) << name;
  }
  Write("broken", 1, 1);
  std::filesystem::resize_file(folder_ / "broken" / "1" / "weights.safetensors", 100);
  EXPECT_EQ(Load("broken").error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_EQ(Unload("absent").error_code(), grpc::StatusCode::NOT_FOUND);
  EXPECT_EQ(Unload("").error_code(), grpc::StatusCode::INVALID_ARGUMENT);
  EXPECT_THAT(Names(), ElementsAre("other", "tiny"));
}

TEST_F(ModelAdminTest, OtherWeightsUnderAServedVersionAreNotTakenForIt) {
  EXPECT_TRUE(Load("tiny", 1).ok()) << "it is served";
  Write("tiny", 1, 7);
  const grpc::Status refused = Load("tiny", 1);
  EXPECT_EQ(refused.error_code(), grpc::StatusCode::FAILED_PRECONDITION);
  EXPECT_THAT(refused.error_message(),
              HasSubstr("with other weights, or another model.json, than its folder has now"));
}

TEST_F(ModelAdminTest, TheDefaultModelIsWhatRequestsWithoutANameMean) {
  ASSERT_TRUE(SetDefault("other").ok());
  ASSERT_TRUE(PushTo("", {"a"}, 1).ok());
  grpc::ClientContext context;
  v1::GetStreamRequest request;
  v1::StreamInfo info;
  request.set_stream_id("a");
  ASSERT_TRUE(stub_->GetStream(&context, request, &info).ok());
  EXPECT_EQ(info.model(), "other");
  ASSERT_TRUE(Unload("other", /*delete_streams=*/true).ok());
  EXPECT_EQ(PushTo("", {"a"}, 2).error_code(), grpc::StatusCode::INVALID_ARGUMENT)
      << "there is none any more";
  EXPECT_EQ(SetDefault("other").error_code(), grpc::StatusCode::NOT_FOUND);
  ASSERT_TRUE(SetDefault("tiny").ok());
  EXPECT_TRUE(PushTo("", {"a"}, 2).ok());
}

TEST_F(ModelAdminTest, ReadingsGoOnWhileModelsComeAndGo) {
  Write("third", 1, 5);
  std::atomic<bool> over{false};
  std::vector<std::thread> clients;
  clients.reserve(3);
  for (int c = 0; c < 3; ++c) {
    clients.emplace_back([this, c, &over] {
      const auto stub = v1::Forecaster::NewStub(NewChannel());
      const std::vector<std::string> stays = {absl::StrCat(c, "a"), absl::StrCat(c, "b"),
                                              absl::StrCat(c, "c")};
      const std::vector<std::string> goes = {absl::StrCat(c, "x"), absl::StrCat(c, "y"),
                                             absl::StrCat(c, "z")};
      for (int t = 1; !over; ++t) {
        v1::PushRequest request = Readings(stays, t);
        v1::PushResponse response;
        grpc::ClientContext context;
        const grpc::Status status = stub->Push(&context, request, &response);
        ASSERT_TRUE(status.ok()) << status.error_message();
        EXPECT_THAT(response.steps(), testing::Each(static_cast<std::uint32_t>(t)));
        request = Readings(goes, t);
        request.set_model("third");
        grpc::ClientContext another;
        const grpc::StatusCode code = stub->Push(&another, request, &response).error_code();
        EXPECT_TRUE(code == grpc::StatusCode::OK || code == grpc::StatusCode::NOT_FOUND) << code;
      }
    });
  }
  for (int round = 0; round < 30; ++round) {
    EXPECT_TRUE(Load("third").ok());
    EXPECT_TRUE(Unload("third", /*delete_streams=*/true).ok());
  }
  over = true;
  for (std::thread& client : clients) client.join();
  EXPECT_THAT(Names(), ElementsAre("other", "tiny"));
  const auto families = page_.Collect();
  for (const auto& family : families) {
    for (const auto& metric : family.metric) {
      for (const auto& label : metric.label) EXPECT_NE(label.value, "third") << family.name;
    }
  }
}

}  // namespace
}  // namespace tidegate
